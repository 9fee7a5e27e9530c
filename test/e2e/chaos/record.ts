/** What a run of random faults leaves for the judge: what was heard, moved and struck. All times are epoch milliseconds of the host. */
import { FINAL_PHASES, type Migration } from "../harness/moves.ts";
import type { Testimony } from "../harness/testimony.ts";
import { PHASES } from "./schedule.ts";

export interface ChaosRecord {
  workloads: readonly JudgedWorkload[];
  moves: readonly JudgedMove[];
  faults: readonly StruckFault[];
}

export interface JudgedWorkload {
  name: string;
  kind: "Pod" | "Deployment" | "Job";
  probe: "none" | "liveness";
  testimony: Testimony;
  /** When listening ended: all faults undone, all moves ended, some time after both. */
  endedAtMs: number;
  /** It should be alive at the end; false: the schedule deleted it for good. */
  wanted: boolean;
  /** At the end, without those that have ended (phase Succeeded or Failed). */
  pods: readonly PodAtEnd[];
}

export interface PodAtEnd {
  name: string;
  node: string;
  uid: string;
  ready: boolean;
}

export interface JudgedMove {
  name: string;
  namespace: string;
  workload: string;
  /** As the watch saw them, in order. */
  phases: readonly { phase: string; atMs: number }[];
  /** Undefined: the object is gone. */
  final: Migration | undefined;
  /** It had not ended when the run gave up waiting. */
  stillOpen: boolean;
}

export interface StruckFault {
  id: string;
  atMs: number;
  /** Undefined: it was never taken back. Equal to `atMs`: it was over as soon as it struck. */
  undoneAtMs: number | undefined;
  /** The move that it aimed at, and that move's phase when it struck. */
  move?: string;
  phase?: string;
  /** The agents of these nodes of the aimed move, or the API server, did not answer meanwhile. */
  silences?: readonly ("source" | "target" | "api")[];
  /** What it takes by intent. */
  ends?: readonly EndedByFault[];
  /** The name of the node whose machine it killed. */
  nodeKilled?: string;
  /** A controller restarted. */
  controllers?: boolean;
}

export interface EndedByFault {
  workload: string;
  /** Under which it is counted, for example "evicted". */
  cell: string;
  /**
   * `deletion`: nobody wants the pod any more (deleted, scaled down, rolled out, namespace deleted). `disruption`: its pod goes, but its work is
   * wanted (evicted, drained, preempted, taint). `kill`: a container's process was killed.
   */
  by: "deletion" | "disruption" | "kill";
  /** Which pod of a move that is under way; `all`: whichever there are. Without a move, `source` and `all` are the same. */
  of: "source" | "copy" | "all";
}

export interface Span {
  fromMs: number;
  toMs: number;
}

/** The phase that a move was seen in at a time; undefined before its first. */
export function phaseAt({ phases }: JudgedMove, atMs: number): string | undefined {
  return phases.findLast((seen) => seen.atMs <= atMs)?.phase;
}

/** When a move was first seen in one of the phases. */
export function enteredAt({ phases }: JudgedMove, ...wanted: readonly string[]): number | undefined {
  return phases.find(({ phase }) => wanted.includes(phase))?.atMs;
}

export function finalPhase({ final, phases }: JudgedMove): string | undefined {
  return final?.status?.phase ?? phases.at(-1)?.phase;
}

/** Its copy ran, as far as its phases tell. Not: committed and then reverted, because the copy could never run. */
export function isCommitted(move: JudgedMove): boolean {
  const phase = finalPhase(move);
  const passed = enteredAt(move, "Committed", "Succeeded") !== undefined || phase === "Succeeded";
  return passed && phase !== "RolledBack" && phase !== "RollingBack" && phase !== "Cancelled";
}

/** The workload's move that a fault met, and its phase then; undefined: none was under way. */
export function moveMetBy(
  record: ChaosRecord,
  workload: string,
  fault: StruckFault,
): { move: JudgedMove; phase: string } | undefined {
  for (const move of record.moves.filter((one) => one.workload === workload)) {
    const seen = phaseAt(move, fault.atMs);
    // Whoever struck may have read the phase before the watch told of the next.
    const struck = move.name === fault.move ? fault.phase : undefined;
    const phase = placeOf(seen) > placeOf(struck) ? seen : struck || seen;
    if (phase !== undefined && !FINAL_PHASES.includes(phase)) return { move, phase };
  }
  return undefined;
}

const placeOf = (phase = ""): number => (PHASES as readonly string[]).indexOf(phase);

/** The time for which a fault lasted. */
export function spanOf({ atMs, undoneAtMs }: StruckFault): Span {
  return { fromMs: atMs, toMs: undoneAtMs ?? Number.POSITIVE_INFINITY };
}

export function touches(one: Span, other: Span): boolean {
  return one.fromMs <= other.toMs && other.fromMs <= one.toMs;
}

/** What is common to all spans of one list and of the other. */
export function common(some: readonly Span[], others: readonly Span[]): Span[] {
  return some.flatMap((one) =>
    others
      .map((other) => ({ fromMs: Math.max(one.fromMs, other.fromMs), toMs: Math.min(one.toMs, other.toMs) }))
      .filter(({ fromMs, toMs }) => fromMs < toMs),
  );
}

/** Milliseconds that the spans cover together. */
export function covered(spans: readonly Span[]): number {
  let sum = 0;
  let upToMs = Number.NEGATIVE_INFINITY;
  for (const { fromMs, toMs } of [...spans].sort((one, other) => one.fromMs - other.fromMs)) {
    sum += Math.max(0, toMs - Math.max(fromMs, upToMs));
    upToMs = Math.max(upToMs, toMs);
  }
  return sum;
}

/** The UTC time of day, with milliseconds. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 23);
}
