/**
 * Moves make steps in what a node uses, and a pod that was moved has no past on its new node. Older samples would be taken for growth
 * that is none, so a series is looked at from the last move on.
 */
import type { Cluster } from "../cluster.ts";
import type { History } from "../forecast/history.ts";
import type { PodSnapshot } from "../snapshot.ts";

/** A measurement of this age may still be from before what happened at its time. */
const MEASUREMENT_LAG_MS = 15_000;

export interface Interruptions {
  /** Undefined: no move from or to it is on record. Milliseconds since the epoch. */
  ofNode(name: string): number | undefined;
  ofPod(pod: PodSnapshot): number | undefined;
}

export function interruptions(cluster: Cluster): Interruptions {
  const nodes = new Map<string, number>();
  const pods = new Map<string, number>();
  const note = (of: Map<string, number>, key: string | undefined, timeMs: number) => {
    if (key !== undefined) of.set(key, Math.max(timeMs, of.get(key) ?? timeMs));
  };
  for (const { phase, finishedAtMs, from, to, lineage, podUID } of cluster.moves) {
    if (phase !== "Succeeded" || finishedAtMs === undefined || !(finishedAtMs <= cluster.nowMs)) continue;
    const seenMs = finishedAtMs + MEASUREMENT_LAG_MS;
    note(nodes, from, seenMs);
    note(nodes, to, seenMs);
    note(pods, lineage ?? podUID, seenMs);
  }
  return { ofNode: (name) => nodes.get(name), ofPod: (pod) => pods.get(pod.lineage) };
}

/** The samples from this moment on; undefined: none. */
export function since(history: History, fromMs: number | undefined, nowMs: number): History | undefined {
  if (fromMs === undefined) return history;
  const first = history.seconds.findIndex((seconds) => seconds >= (fromMs - nowMs) / 1000);
  if (first < 0) return undefined;
  return { seconds: history.seconds.subarray(first), bytes: history.bytes.subarray(first), dropped: history.dropped };
}
