/** A list of nodes with the fields that a ClusterSnapshot's have; alone, or under `nodes`. */
import { clusterSnapshotSchema, type WrittenNode } from "../../api/v1alpha1/cluster-snapshot.ts";
import { admit, broken, type InputDocument } from "../input/documents.ts";
import type { SimulatedNode } from "../scenario.ts";
import type { PlacedNode } from "./placed-node.ts";
import { CORDONED, NOT_READY } from "./unavailable.ts";

/** Undefined: the document is no such list. What a node uses is not read: its pods' traces tell that. */
export function plainNodes(document: InputDocument): PlacedNode[] | undefined {
  const { value } = document;
  if (Array.isArray(value)) return read(document, value, []);
  const isHolder = typeof value === "object" && value !== null && "nodes" in value;
  return isHolder ? read(document, value.nodes, ["nodes"]) : undefined;
}

function read(document: InputDocument, value: unknown, under: readonly string[]): PlacedNode[] {
  const nodes = admit(clusterSnapshotSchema.shape.nodes, document, { value, under });
  const empty = nodes.flatMap(({ capacity }, index) => (capacity > 0 ? [] : [index]));
  const pathOf = (index: number) => `${under.join("")}[${index}]`;
  if (empty.length === 0) return nodes.map((node, index) => placed(node, pathOf(index)));
  const message = "expected more than 0: a node without memory can't be simulated";
  throw broken(
    document,
    empty.map((index) => ({ path: `${pathOf(index)}.capacity`, message })),
  );
}

const placed = (node: WrittenNode, path: string): PlacedNode => ({
  node: simulated(node),
  nameField: `${path}.name`,
  allocatableField: `${path}.allocatable`,
});

function simulated(node: WrittenNode): SimulatedNode {
  const { name, capacity, allocatable, labels, maxPods, unschedulable, ready, agentReady } = node;
  const taints = [
    ...(node.taints ?? []).map(({ key, effect, value }) => ({ key, effect, ...(value !== undefined && { value }) })),
    ...(unschedulable === true ? [CORDONED] : []),
    ...(ready === false ? [NOT_READY] : []),
  ];
  return {
    name,
    capacityBytes: capacity,
    ...(allocatable !== undefined && { allocatableBytes: allocatable }),
    ...(labels !== undefined && { labels }),
    ...(taints.length > 0 && { taints }),
    ...(maxPods !== undefined && { maxPods }),
    ...(unschedulable === true && { unschedulable }),
    ...(ready === false && { ready }),
    ...(agentReady === false && { agentReady }),
  };
}
