/** What earlier moves mean for a pod: it is moving, or it must rest after moves that did not succeed. */
import type { Cluster } from "../cluster.ts";
import { lazily } from "../lazily.ts";
import { isUnderWay } from "../pacing/pacing.ts";
import type { MoveSnapshot, PodSnapshot } from "../snapshot.ts";

/** How long a pod rests after a failure: doubled with each further one, up to the longest. */
interface Rest {
  firstSeconds: number;
  /** Such moves must stay on record at least this long, or the rest would be forgotten. */
  longestSeconds: number;
}

/** After a move that did not succeed: the pod went on, or was never touched. */
export const FAILED_MOVE_REST: Rest = { firstSeconds: 60, longestSeconds: 3_600 };
/** After a move that its program did not survive: the next one would most likely end in the same way. */
export const FAILED_PROGRAM_REST: Rest = { firstSeconds: 3_600, longestSeconds: 86_400 };
/** After a move that failed because of something CRIU does not carry: the pod most likely keeps it until it is restarted. */
export const NOT_CARRIED_REST: Rest = { firstSeconds: 86_400, longestSeconds: 86_400 };

export interface MoveHistory {
  isMoving(pod: PodSnapshot): boolean;
  /** Defined while the pod must rest. */
  backOff(pod: PodSnapshot, nowMs: number): BackOff | undefined;
  /** The nodes that its lineage was moved from. */
  departures(pod: PodSnapshot): readonly Departure[];
}

export interface BackOff {
  /** Of the move, of a move because of what the pod is made of, or of the program within a minute of its release. */
  failed: "Move" | "Kind" | "Program";
  /** In a row. */
  failures: number;
  leftSeconds: number;
}

export interface Departure {
  node: string;
  /** When the move ended; undefined: not on record. */
  atMs: number | undefined;
}

/** A lineage's failures of one kind since its last success. */
interface Failures {
  count: number;
  lastMs: number;
}

type FailuresByKind = Partial<Record<BackOff["failed"], Failures>>;

const podKey = (namespace: string, name: string) => `${namespace}/${name}`;
const byEnd = (a: MoveSnapshot, b: MoveSnapshot) => (a.finishedAtMs ?? 0) - (b.finishedAtMs ?? 0);

function countFailures(moves: readonly MoveSnapshot[]): Map<string, FailuresByKind> {
  const failures = new Map<string, FailuresByKind>();
  for (const move of moves.filter((one) => !isUnderWay(one)).sort(byEnd)) {
    for (const key of new Set([move.lineage, move.podUID])) {
      if (key === undefined) continue;
      const known = failures.get(key) ?? {};
      const failed = failureOf(move);
      if (failed === undefined) failures.delete(key);
      else
        failures.set(key, {
          ...known,
          [failed]: { count: (known[failed]?.count ?? 0) + 1, lastMs: move.finishedAtMs ?? 0 },
        });
    }
  }
  return failures;
}

function failureOf(move: MoveSnapshot): BackOff["failed"] | undefined {
  if (move.notCarried === true) return "Kind";
  if (move.phase !== "Succeeded") return "Move";
  return move.programFailed === true ? "Program" : undefined;
}

function restAfter(
  failed: BackOff["failed"],
  failures: Failures | undefined,
  { firstSeconds, longestSeconds }: Rest,
  nowMs: number,
): BackOff[] {
  if (failures === undefined) return [];
  const waitSeconds = Math.min(firstSeconds * 2 ** (failures.count - 1), longestSeconds);
  const leftSeconds = waitSeconds - Math.max(0, nowMs - failures.lastMs) / 1000;
  return leftSeconds > 0 ? [{ failed, failures: failures.count, leftSeconds }] : [];
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
      const { Move, Kind, Program } = failures().get(pod.uid) ?? failures().get(pod.lineage) ?? {};
      const afterProgram = restAfter("Program", Program, FAILED_PROGRAM_REST, nowMs);
      const afterKind = restAfter("Kind", Kind, NOT_CARRIED_REST, nowMs);
      const rests = [...afterKind, ...afterProgram, ...restAfter("Move", Move, FAILED_MOVE_REST, nowMs)];
      return rests.sort((a, b) => b.leftSeconds - a.leftSeconds)[0];
    },
  };
}
