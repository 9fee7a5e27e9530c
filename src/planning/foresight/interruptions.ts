/**
 * Moves and pods that start make steps in what a node uses, and a pod that was moved has no past on its new node. Such a step would be
 * taken for growth that goes on, so a series is looked at from the last of them on, and before that only for how well it could be foreseen.
 */
import type { Cluster } from "../cluster.ts";
import type { History } from "../forecast/history.ts";
import type { MoveSnapshot, PodSnapshot } from "../snapshot.ts";

/** A measurement of this age may still be from before what happened at its time. */
const MEASUREMENT_LAG_MS = 15_000;
/** Of a move whose start is not on record. */
const ASSUMED_MOVE_MS = 300_000;
/** A pod that starts takes so long until it has the memory that it begins with. */
const START_UP_MS = 30_000;
/** Series go no farther back. */
const LONGEST_SERIES_MS = 7_200_000;

/** Milliseconds since the epoch. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface Interruptions {
  /** When moves from or to the node and the starts of its pods took place, in order of their ends. */
  ofNode(name: string): readonly Span[];
  /** The end of the last of them. */
  lastOfNode(name: string): number | undefined;
  /** Since when the pod is where it is; undefined: no move of it is on record. */
  ofPod(pod: PodSnapshot): number | undefined;
}

export function interruptions(cluster: Cluster): Interruptions {
  const nodes = new Map<string, Span[]>();
  const pods = new Map<string, number>();
  for (const move of cluster.moves) {
    const span = spanOf(move, cluster.nowMs);
    if (span === undefined) continue;
    for (const name of [move.from, move.to]) {
      if (name === undefined) continue;
      const spans = nodes.get(name);
      if (spans === undefined) nodes.set(name, [span]);
      else spans.push(span);
    }
    const lineage = move.lineage ?? move.podUID;
    if (lineage !== undefined) pods.set(lineage, Math.max(span.toMs, pods.get(lineage) ?? span.toMs));
  }
  const known = new Map<string, Span[]>();
  return {
    ofNode(name) {
      const spans = known.get(name) ?? inOrder([...(nodes.get(name) ?? []), ...starts(cluster, name)]);
      known.set(name, spans);
      return spans;
    },
    lastOfNode(name) {
      const movedMs = nodes.get(name)?.reduce((last, { toMs }) => Math.max(last, toMs), Number.NEGATIVE_INFINITY);
      const startedMs = lastStart(cluster, name);
      const last = Math.max(movedMs ?? Number.NEGATIVE_INFINITY, startedMs + START_UP_MS);
      return last === Number.NEGATIVE_INFINITY ? undefined : last;
    },
    ofPod: (pod) => pods.get(pod.lineage),
  };
}

/** Every node is asked for it at every evaluation: nothing is allocated. */
function lastStart(cluster: Cluster, name: string): number {
  let last = Number.NEGATIVE_INFINITY;
  for (const { startedAtMs } of cluster.node(name)?.podsUnordered ?? []) {
    if (startedAtMs !== undefined && startedAtMs <= cluster.nowMs && startedAtMs > last) last = startedAtMs;
  }
  return last;
}

const inOrder = (spans: Span[]) => spans.sort((a, b) => a.toMs - b.toMs || a.fromMs - b.fromMs);

function starts(cluster: Cluster, name: string): Span[] {
  const { nowMs } = cluster;
  return (cluster.node(name)?.podsUnordered ?? []).flatMap(({ startedAtMs }) =>
    startedAtMs !== undefined && startedAtMs <= nowMs && startedAtMs > nowMs - LONGEST_SERIES_MS
      ? [{ fromMs: startedAtMs, toMs: startedAtMs + START_UP_MS }]
      : [],
  );
}

function spanOf({ phase, startedAtMs, finishedAtMs }: MoveSnapshot, nowMs: number): Span | undefined {
  if (phase !== "Succeeded" || finishedAtMs === undefined || !(finishedAtMs <= nowMs)) return undefined;
  const fromMs = Math.min(startedAtMs ?? finishedAtMs - ASSUMED_MOVE_MS, finishedAtMs);
  return { fromMs, toMs: finishedAtMs + MEASUREMENT_LAG_MS };
}

/** The part of the history; undefined: no sample is in it. */
export function within({ timesMs, bytes, nowMs, dropped }: History, { fromMs, toMs }: Span): History | undefined {
  let begin = 0;
  while (begin < timesMs.length && (timesMs[begin] ?? 0) < fromMs) begin++;
  let end = timesMs.length;
  while (end > begin && (timesMs[end - 1] ?? 0) > toMs) end--;
  if (begin === end) return undefined;
  return { timesMs: timesMs.subarray(begin, end), bytes: bytes.subarray(begin, end), nowMs, dropped };
}

/** The longest time before the last of these in which none of them took place, as far as the history goes. */
export function longestQuiet({ timesMs }: History, spans: readonly Span[]): Span | undefined {
  let quietFromMs = timesMs[0] ?? 0;
  let longest: Span | undefined;
  for (const { fromMs, toMs } of spans) {
    const lasts = fromMs - quietFromMs;
    if (lasts > (longest === undefined ? 0 : longest.toMs - longest.fromMs))
      longest = { fromMs: quietFromMs, toMs: fromMs };
    quietFromMs = Math.max(quietFromMs, toMs);
  }
  return longest;
}
