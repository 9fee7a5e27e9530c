/** The nodes of a cluster file, or of a shorthand such as `10x64Gi`. Pure. */

import type { Problem } from "../../api/problems.ts";
import { formatBytes } from "../../api/quantity.ts";
import { BrokenInputError, collectFlaws } from "../input/broken-input.ts";
import { broken, documentsOf, type InputDocument, type NamedText } from "../input/documents.ts";
import { Names } from "../input/names.ts";
import type { SimulatedNode } from "../scenario.ts";
import { kubernetesNodes } from "./kubernetes-nodes.ts";
import type { PlacedNode } from "./placed-node.ts";
import { plainNodes } from "./plain-nodes.ts";

/**
 * A cluster file is one of: a list of nodes with a ClusterSnapshot's fields, or a document with such a list under `nodes` (a
 * ClusterSnapshot too); the predecessor's configuration (`cluster:`); Node objects, also in a list as `kubectl get nodes -o yaml` prints
 * them. Throws a BrokenInputError.
 */
export function readCluster(source: NamedText): SimulatedNode[] {
  const documents = documentsOf(source);
  if (documents.length === 0)
    throw new BrokenInputError([{ file: source.name, message: `expected nodes; ${EXPECTED}` }]);
  const names = new Names({ expected: "expected different names", advice: "give one of the nodes another" });
  const nodes: SimulatedNode[] = [];
  collectFlaws(documents, (document) => {
    const placed = nodesOf(document);
    for (const { node } of placed) nodes.push(node);
    names.take(
      { file: source.name, document },
      placed.map(({ node: { name }, nameField: field }) => ({ name, field })),
    );
  });
  return nodes;
}

const EXPECTED =
  "write a list such as [{name: a, capacity: 64Gi}], the predecessor's configuration with cluster:, or Node objects";

function nodesOf(document: InputDocument): PlacedNode[] {
  const nodes = kubernetesNodes(document) ?? plainNodes(document);
  if (nodes === undefined) throw broken(document, [{ path: "", message: `expected a list of nodes; ${EXPECTED}` }]);
  if (nodes.length === 0) throw broken(document, [{ path: "", message: "expected at least one node" }]);
  const problems = nodes.flatMap(overpromised);
  if (problems.length > 0) throw broken(document, problems);
  return nodes;
}

function overpromised({ node, allocatableField }: PlacedNode): Problem[] {
  const { name, capacityBytes, allocatableBytes = 0 } = node;
  if (allocatableBytes <= capacityBytes) return [];
  const message = `node ${name}: expected allocatable of at most its capacity; ${formatBytes(allocatableBytes)} is more than ${formatBytes(capacityBytes)}`;
  return [{ path: allocatableField, message }];
}
