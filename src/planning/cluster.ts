/** The snapshot in a fixed order and looked up by name, so that the order of its input never matters. */
import { compareText } from "./order.ts";
import type { ClusterSnapshot, Figure, MoveSnapshot, NodeSnapshot, PodSnapshot } from "./snapshot.ts";

export interface ClusterNode {
  snapshot: NodeSnapshot;
  /** Ascending by namespace, name and UID; those that have ended are left out. */
  pods: PodSnapshot[];
  /** Sum of their memory requests. */
  requestedBytes: number;
  /** Another node of the same name is in the snapshot: neither can be relied on. */
  duplicate: boolean;
}

export interface Cluster {
  nowMs: number;
  snapshot: ClusterSnapshot;
  /** Ascending by name. */
  nodes: readonly ClusterNode[];
  node(name: string): ClusterNode | undefined;
  pod(uid: string): PodSnapshot | undefined;
  /** A pod whose UID occurs more than once. */
  isDuplicate(pod: PodSnapshot): boolean;
  moves: readonly MoveSnapshot[];
}

const comparePods = (a: PodSnapshot, b: PodSnapshot) =>
  compareText(a.namespace, b.namespace) || compareText(a.name, b.name) || compareText(a.uid, b.uid);
const compareMoves = (a: MoveSnapshot, b: MoveSnapshot) =>
  compareText(a.namespace, b.namespace) || compareText(a.name, b.name) || compareText(a.pod, b.pod);

function repeated(keys: Iterable<string>): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const key of keys) (seen.has(key) ? twice : seen).add(key);
  return twice;
}

const hasEnded = (pod: PodSnapshot) => pod.phase === "Succeeded" || pod.phase === "Failed";

export function indexCluster(snapshot: ClusterSnapshot): Cluster {
  const twiceNamed = repeated(snapshot.nodes.map((node) => node.name));
  const twicePods = repeated(snapshot.pods.map((pod) => pod.uid));
  const byName = new Map<string, ClusterNode>();
  for (const node of [...snapshot.nodes].sort((a, b) => compareText(a.name, b.name))) {
    byName.set(node.name, { snapshot: node, pods: [], requestedBytes: 0, duplicate: twiceNamed.has(node.name) });
  }
  const pods = snapshot.pods.filter((pod) => !hasEnded(pod));
  for (const pod of pods) byName.get(pod.node)?.pods.push(pod);
  for (const node of byName.values()) {
    node.pods.sort(comparePods);
    node.requestedBytes = node.pods.reduce((sum, pod) => sum + pod.requestBytes, 0);
  }
  const byUid = new Map(pods.map((pod) => [pod.uid, pod]));
  return {
    nowMs: snapshot.timeMs,
    snapshot,
    nodes: [...byName.values()],
    node: (name) => byName.get(name),
    pod: (uid) => byUid.get(uid),
    isDuplicate: (pod) => twicePods.has(pod.uid),
    moves: [...snapshot.moves].sort(compareMoves),
  };
}

/** The node's figure as this source gives it. */
export function nodeFigure(cluster: Cluster, node: NodeSnapshot, source: string): Figure | undefined {
  const { sources } = cluster.snapshot;
  return sources === undefined ? node : sources[source]?.nodes.get(node.name);
}

export function podFigure(cluster: Cluster, pod: PodSnapshot, source: string): Figure | undefined {
  const { sources } = cluster.snapshot;
  return sources === undefined ? pod : sources[source]?.pods.get(pod.uid);
}
