/**
 * The snapshot in a fixed order and looked up by name, so that the order of its input never matters. What most evaluations
 * never ask for (a calm node's pods in order, pods by UID, moves in order) is worked out when it is asked for.
 */
import { lazily } from "./lazily.ts";
import { compareText } from "./order.ts";
import type { ClusterSnapshot, Figure, MoveSnapshot, NodeSnapshot, PodSnapshot } from "./snapshot.ts";

export interface ClusterNode {
  readonly snapshot: NodeSnapshot;
  /** Ascending by namespace, name and UID; those that have ended are left out. */
  readonly pods: readonly PodSnapshot[];
  readonly podCount: number;
  /** The same pods in the order of input, for what no order matters to. */
  readonly podsUnordered: readonly PodSnapshot[];
  /** Sum of their memory requests. */
  readonly requestedBytes: number;
  /** Another node of the same name is in the snapshot: neither can be relied on. */
  readonly duplicate: boolean;
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
  /** Ascending by namespace, name and pod. */
  readonly moves: readonly MoveSnapshot[];
  /** The same in the order of input, for what no order matters to. */
  readonly movesUnordered: readonly MoveSnapshot[];
}

const comparePods = (a: PodSnapshot, b: PodSnapshot) =>
  compareText(a.namespace, b.namespace) ||
  compareText(a.name, b.name) ||
  compareText(a.uid, b.uid) ||
  compareText(a.node, b.node);
export const compareMoves = (a: MoveSnapshot, b: MoveSnapshot) =>
  compareText(a.namespace, b.namespace) || compareText(a.name, b.name) || compareText(a.pod, b.pod);

const hasEnded = (pod: PodSnapshot) => pod.phase === "Succeeded" || pod.phase === "Failed";

class IndexedNode implements ClusterNode {
  readonly snapshot: NodeSnapshot;
  readonly podsUnordered: PodSnapshot[] = [];
  duplicate = false;
  #sorted: readonly PodSnapshot[] | undefined;
  #requestedBytes: number | undefined;

  constructor(snapshot: NodeSnapshot) {
    this.snapshot = snapshot;
  }

  get podCount(): number {
    return this.podsUnordered.length;
  }

  get pods(): readonly PodSnapshot[] {
    this.#sorted ??= this.podsUnordered.toSorted(comparePods);
    return this.#sorted;
  }

  /** Summed in order: rounding, too, must not depend on the input's. */
  get requestedBytes(): number {
    this.#requestedBytes ??= this.pods.reduce((sum, pod) => sum + pod.requestBytes, 0);
    return this.#requestedBytes;
  }
}

export function indexCluster(snapshot: ClusterSnapshot): Cluster {
  const byName = indexNodes(snapshot);
  const uids = lazily(() => indexUids(snapshot.pods));
  const moves = lazily(() => snapshot.moves.toSorted(compareMoves));
  return {
    nowMs: snapshot.timeMs,
    snapshot,
    nodes: [...byName.values()],
    node: (name) => byName.get(name),
    pod: (uid) => uids().byUid.get(uid),
    isDuplicate: (pod) => uids().twice.has(pod.uid),
    get moves() {
      return moves();
    },
    movesUnordered: snapshot.moves,
  };
}

function indexNodes({ nodes, pods }: ClusterSnapshot): Map<string, IndexedNode> {
  const byName = new Map<string, IndexedNode>();
  for (const node of [...nodes].sort((a, b) => compareText(a.name, b.name))) {
    const known = byName.get(node.name);
    if (known === undefined) byName.set(node.name, new IndexedNode(node));
    else known.duplicate = true;
  }
  for (const pod of pods) if (!hasEnded(pod)) byName.get(pod.node)?.podsUnordered.push(pod);
  return byName;
}

interface UidIndex {
  byUid: ReadonlyMap<string, PodSnapshot>;
  twice: ReadonlySet<string>;
}

/** Of several pods with one UID, the first in order that has not ended. */
function indexUids(pods: readonly PodSnapshot[]): UidIndex {
  const byUid = new Map<string, PodSnapshot>();
  const twice = new Set<string>();
  for (const pod of pods) {
    const known = byUid.get(pod.uid);
    if (known !== undefined) twice.add(pod.uid);
    if (known === undefined || precedes(pod, known)) byUid.set(pod.uid, pod);
  }
  for (const [uid, pod] of byUid) if (hasEnded(pod)) byUid.delete(uid);
  return { byUid, twice };
}

const precedes = (a: PodSnapshot, b: PodSnapshot) =>
  (Number(hasEnded(a)) - Number(hasEnded(b)) || comparePods(a, b)) < 0;

/** The node's figure as this source gives it. */
export function nodeFigure(cluster: Cluster, node: NodeSnapshot, source: string): Figure | undefined {
  const { sources } = cluster.snapshot;
  return sources === undefined ? node : sources[source]?.nodes.get(node.name);
}

export function podFigure(cluster: Cluster, pod: PodSnapshot, source: string): Figure | undefined {
  const { sources } = cluster.snapshot;
  return sources === undefined ? pod : sources[source]?.pods.get(pod.uid);
}
