/** The nodes of a cluster file, or of a shorthand such as `10x64Gi`. Pure. */

import type { Problem } from "../../api/problems.ts";
import { formatBytes } from "../../api/quantity.ts";
import { BrokenInputError } from "../input/broken-input.ts";
import { broken, documentsOf, type InputDocument, type NamedText } from "../input/documents.ts";
import type { SimulatedNode } from "../scenario.ts";
import { kubernetesNodes } from "./kubernetes-nodes.ts";
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
  const nodes = documents.flatMap(nodesOf);
  refuseTwins(nodes, source.name);
  return nodes;
}

const EXPECTED =
  "write a list such as [{name: a, capacity: 64Gi}], the predecessor's configuration with cluster:, or Node objects";

function nodesOf(document: InputDocument): SimulatedNode[] {
  const nodes = kubernetesNodes(document) ?? plainNodes(document);
  if (nodes === undefined) throw broken(document, [{ path: "", message: `expected a list of nodes; ${EXPECTED}` }]);
  if (nodes.length === 0) throw broken(document, [{ path: "", message: "expected at least one node" }]);
  const problems = nodes.flatMap(overpromised);
  if (problems.length > 0) throw broken(document, problems);
  return nodes;
}

function overpromised({ name, capacityBytes, allocatableBytes = 0 }: SimulatedNode): Problem[] {
  if (allocatableBytes <= capacityBytes) return [];
  const message = `node ${name}: expected allocatable of at most its capacity; ${formatBytes(allocatableBytes)} is more than ${formatBytes(capacityBytes)}`;
  return [{ path: "", message }];
}

function refuseTwins(nodes: readonly SimulatedNode[], file: string): void {
  const names = new Set<string>();
  for (const { name } of nodes) {
    if (names.has(name)) {
      throw new BrokenInputError([
        { file, field: "name", message: `expected different names; ${name} is there twice` },
      ]);
    }
    names.add(name);
  }
}
