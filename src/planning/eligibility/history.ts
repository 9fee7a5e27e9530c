/** What earlier moves mean for a pod: it is moving, or it must rest after moves that did not succeed. */
import type { Cluster } from "../cluster.ts";
import { lazily } from "../lazily.ts";
import { isUnderWay } from "../pacing/pacing.ts";
import type { MoveSnapshot, PodSnapshot } from "../snapshot.ts";

/** After the first failure; doubled with each further one. */
export const FIRST_BACK_OFF_SECONDS = 60;
/** Failed moves must stay on record at least this long, or the back-off would be forgotten. */
export const LONGEST_BACK_OFF_SECONDS = 3600;

export interface MoveHistory {
  isMoving(pod: PodSnapshot): boolean;
  /** Defined while the pod must rest: how often in a row its moves failed, and for how long still. */
  backOff(pod: PodSnapshot, nowMs: number): { failures: number; leftSeconds: number } | undefined;
  /** The nodes that its lineage was moved from. */
  departures(pod: PodSnapshot): readonly Departure[];
}

export interface Departure {
  node: string;
  /** When the move ended; undefined: not on record. */
  atMs: number | undefined;
}

/** A lineage's failures since its last success. */
interface Failures {
  count: number;
  lastMs: number;
}

const podKey = (namespace: string, name: string) => `${namespace}/${name}`;
const byEnd = (a: MoveSnapshot, b: MoveSnapshot) => (a.finishedAtMs ?? 0) - (b.finishedAtMs ?? 0);

function countFailures(moves: readonly MoveSnapshot[]): Map<string, Failures> {
  const failures = new Map<string, Failures>();
  for (const move of moves.filter((one) => !isUnderWay(one)).sort(byEnd)) {
    for (const key of new Set([move.lineage, move.podUID])) {
      if (key === undefined) continue;
      const { count } = failures.get(key) ?? { count: 0 };
      if (move.phase === "Succeeded") failures.delete(key);
      else failures.set(key, { count: count + 1, lastMs: move.finishedAtMs ?? 0 });
    }
  }
  return failures;
}

function departuresByLineage(moves: readonly MoveSnapshot[]): Map<string, Departure[]> {
  const departures = new Map<string, Departure[]>();
  for (const move of moves.filter(({ phase }) => phase === "Succeeded")) {
    const key = move.lineage ?? move.podUID;
    if (key === undefined) continue;
    const known = departures.get(key) ?? [];
    known.push({ node: move.from, atMs: move.finishedAtMs });
    departures.set(key, known);
  }
  return departures;
}

export function moveHistory(cluster: Cluster): MoveHistory {
  const underWay = cluster.movesUnordered.filter(isUnderWay);
  const movingUids = new Set(underWay.flatMap((move) => move.podUID ?? []));
  const movingNames = new Set(underWay.map((move) => podKey(move.namespace, move.pod)));
  const failures = lazily(() => countFailures(cluster.moves));
  const departures = lazily(() => departuresByLineage(cluster.moves));
  return {
    departures: (pod) => departures().get(pod.lineage) ?? [],
    isMoving: (pod) => movingUids.has(pod.uid) || movingNames.has(podKey(pod.namespace, pod.name)),
    backOff(pod, nowMs) {
      const failed = failures().get(pod.uid) ?? failures().get(pod.lineage);
      if (failed === undefined) return undefined;
      const waitSeconds = Math.min(FIRST_BACK_OFF_SECONDS * 2 ** (failed.count - 1), LONGEST_BACK_OFF_SECONDS);
      const leftSeconds = waitSeconds - Math.max(0, nowMs - failed.lastMs) / 1000;
      return leftSeconds > 0 ? { failures: failed.count, leftSeconds } : undefined;
    },
  };
}
