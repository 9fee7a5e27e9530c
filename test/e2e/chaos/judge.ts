/** Judges a run of random faults by what the witness heard. Pure. What the record must hold is in ./record.ts. */
import type { Silence, Violation, ViolationKind } from "../harness/testimony.ts";
import { type End, endsOf, isSilentAtEnd, PROMISED, unavoidableCell } from "./losses.ts";
import { moveFaults, unexplainedStays, wrongPods } from "./move-verdict.ts";
import {
  type ChaosRecord,
  clock,
  common,
  covered,
  finalPhase,
  isCommitted,
  type JudgedWorkload,
  moveMetBy,
  type Span,
  type StruckFault,
  spanOf,
  touches,
} from "./record.ts";

export interface Verdict {
  /** Sentences; each begins with doubled, lost, damaged, silent, stuck or disagrees. */
  faults: string[];
  /** Processes that ended, and that nothing could have saved. */
  unavoidable: { workload: string; cell: string }[];
  /** Moves by their ends. */
  committed: number;
  rolledBack: number;
  /** The rest, under "phase: reason". */
  otherEnds: Record<string, number>;
  worstSilenceMs: number;
}

const SECOND = 1000;
/**
 * A Deployment replaces a pod as soon as it is being deleted. The old one has its grace period, and its copy takes the replacement's place once it is
 * ready; longer while other faults keep anybody from doing anything.
 */
const REPLACED_WITHIN_MS = 15 * SECOND;
/** Between two requests the Job of a moved pod has none; a controller that ends just then is followed by another, which removes what the Job has made. */
const SWAP_WITHIN_MS = 30 * SECOND;
/** The longest silence: without any fault; with one, besides the time that it lasts; more for a machine that comes back. */
const QUIET_MS = 15 * SECOND;
const TROUBLED_MS = 45 * SECOND;
const MACHINE_MS = 45 * SECOND;
/** A fault is felt for some time after it: a controller that was killed is followed by another after nine seconds. */
const AFTERMATH_MS = 10 * SECOND;
/** Time for a pod that was deleted to end, besides that of other faults. */
export const DELETED_WITHIN_MS = 25 * SECOND;
/** A Deployment's pod that was lost has been replaced by then. */
const REPLACED_AT_END_MS = 120 * SECOND;

export function judge(record: ChaosRecord): Verdict {
  const ends = record.workloads.flatMap(endsOf).map((end) => ({ end, cell: unavoidableCell(record, end) }));
  return {
    faults: [
      ...record.workloads.flatMap((workload) => workloadFaults(record, workload)),
      ...ends.flatMap(({ end, cell }) => (cell === undefined ? [lossOf(end)] : notReplaced(end))),
      ...record.moves.flatMap((move) => moveFaults(record, move)),
    ],
    unavoidable: ends.flatMap(({ end, cell }) => (cell === undefined ? [] : [{ workload: end.workload.name, cell }])),
    ...countEnds(record),
    worstSilenceMs: Math.max(
      0,
      ...record.workloads.flatMap(({ testimony }) => testimony.silences.map(({ milliseconds }) => milliseconds)),
    ),
  };
}

function workloadFaults(record: ChaosRecord, workload: JudgedWorkload): string[] {
  const { name, testimony, wanted } = workload;
  if (testimony.lives.length === 0) return wanted ? [`silent: ${name} was never heard`] : [];
  return [
    ...testimony.violations.filter((violation) => !isExcused(record, workload, violation)).map(inWords(name)),
    ...testimony.silences.flatMap((silence) => tooSilent(record, workload, silence)),
    ...unexplainedStays(record, workload),
    ...stillThere(record, workload),
    ...(wanted && !isSilentAtEnd(workload) ? wrongPods(workload) : []),
  ];
}

const WORD: Record<ViolationKind, string> = {
  gap: "lost",
  repeated: "doubled",
  two: "doubled",
  pages: "damaged",
  files: "damaged",
};

function inWords(workload: string): (violation: Violation) => string {
  return ({ kind, instance, atMs, untilMs, times, text }) => {
    const span = times === 1 ? `at ${clock(atMs)}` : `${times} times from ${clock(atMs)} to ${clock(untilMs)}`;
    return `${WORD[kind]}: ${workload} (${instance}), ${span}: ${text}`;
  };
}

function isExcused({ faults }: ChaosRecord, { name, kind: owner }: JudgedWorkload, violation: Violation): boolean {
  const { kind, atMs, untilMs } = violation;
  const within = (fromMs: number, toMs: number): boolean => atMs >= fromMs && untilMs <= toMs;
  // Kubernetes does it itself for pods that have an owner: a Job, too, replaces a pod that is being deleted. A pod without one is not replaced, nor
  // is one whose container was killed.
  if (kind !== "two" || owner === "Pod") return false;
  if (
    owner === "Job" &&
    faults.some(({ controllers, atMs: struckAtMs }) => controllers && within(struckAtMs, struckAtMs + SWAP_WITHIN_MS))
  )
    return true;
  return faults.some((fault) => {
    const others = faults.filter((other) => other !== fault).map(spanOf);
    const troubledMs = covered(common(others, [{ fromMs: fault.atMs, toMs: untilMs }]));
    const isTaken = (fault.ends ?? []).some(({ workload, by }) => workload === name && by !== "kill");
    return isTaken && within(fault.atMs, fault.atMs + REPLACED_WITHIN_MS + troubledMs);
  });
}

function tooSilent({ faults }: ChaosRecord, { name }: JudgedWorkload, silence: Silence): string[] {
  const { fromMs, milliseconds, instance } = silence;
  const span: Span = { fromMs, toMs: fromMs + milliseconds };
  const felt = faults.filter((fault) => {
    const { fromMs: struckAtMs, toMs } = spanOf(fault);
    return touches(span, { fromMs: struckAtMs, toMs: toMs + AFTERMATH_MS });
  });
  const machines = felt.some(({ nodeKilled }) => nodeKilled !== undefined) ? MACHINE_MS : 0;
  const limit = felt.length === 0 ? QUIET_MS : TROUBLED_MS + machines + covered(common(felt.map(spanOf), [span]));
  if (milliseconds <= limit) return [];
  const allowed = `${Math.round(limit)} ms are allowed with ${felt.map(({ id }) => id).join(", ") || "no fault"}`;
  return [`silent: ${name} (${instance}) from ${clock(fromMs)} for ${Math.round(milliseconds)} ms; ${allowed}`];
}

/** A pod was deleted, and its process goes on, under whatever name: nobody wanted that any more. */
function stillThere(record: ChaosRecord, workload: JudgedWorkload): string[] {
  const { faults } = record;
  const { name, testimony } = workload;
  return faults.flatMap((fault) => {
    const taken = fault.ends?.find((one) => one.workload === name && one.by === "deletion");
    const phase = moveMetBy(record, name, fault)?.phase ?? "";
    if (!taken || PROMISED.deletion[taken.of].includes(phase)) return [];
    // Whoever deletes a pod that is being evicted already changes nothing: the move may save it as before.
    if (faults.some((other) => other.atMs < fault.atMs && disruptsSameMove(record, workload, other, fault))) return [];
    const met = testimony.lives.filter(({ firstAtMs }) => firstAtMs <= fault.atMs);
    const life = met.sort((one, other) => one.lastAtMs - other.lastAtMs).at(-1);
    const after: Span = { fromMs: fault.atMs, toMs: fault.atMs + DELETED_WITHIN_MS };
    const others = faults.filter((other) => other !== fault).map(spanOf);
    const limitMs = after.toMs + covered(common(others, [{ ...after, toMs: workload.endedAtMs }]));
    if (!life || life.lastAtMs <= limitMs) return [];
    const times = `was deleted at ${clock(fault.atMs)} (${fault.id}) and was still heard at ${clock(life.lastAtMs)}`;
    return [`disagrees: ${name} (${life.instance}) ${times}`];
  });
}

/** One fault evicts, preempts or drains the pod whose move the other meets. */
function disruptsSameMove(
  record: ChaosRecord,
  { name }: JudgedWorkload,
  one: StruckFault,
  other: StruckFault,
): boolean {
  const disrupts = one.ends?.some(({ workload, by }) => workload === name && by === "disruption") ?? false;
  return disrupts && moveMetBy(record, name, one)?.move === moveMetBy(record, name, other)?.move;
}

function lossOf({ workload, life, followedAtMs }: End): string {
  const where = `heard last at ${clock(life.lastAtMs)} from ${life.stays.at(-1)?.node} (n=${life.last})`;
  const then = followedAtMs === undefined ? "nothing followed it" : `another followed it at ${clock(followedAtMs)}`;
  return `lost: ${workload.name} (${life.instance}), ${where}; ${then}, and no fault excuses it`;
}

/** Its process could not be saved, but its Deployment makes another. */
function notReplaced({ workload, life, followedAtMs }: End): string[] {
  const { name, kind, wanted, endedAtMs } = workload;
  const waited = endedAtMs - life.lastAtMs;
  if (kind !== "Deployment" || !wanted || followedAtMs !== undefined || waited <= REPLACED_AT_END_MS) return [];
  return [`silent: nothing of Deployment ${name} was heard for ${Math.round(waited)} ms at the end`];
}

function countEnds({ moves }: ChaosRecord): Pick<Verdict, "committed" | "rolledBack" | "otherEnds"> {
  const counts = { committed: 0, rolledBack: 0, otherEnds: {} as Record<string, number> };
  for (const move of moves.filter(({ stillOpen }) => !stillOpen)) {
    const phase = finalPhase(move) ?? "without a phase";
    if (phase === "RolledBack") counts.rolledBack += 1;
    else if (isCommitted(move) && phase !== "Failed") counts.committed += 1;
    else {
      const key = [phase, move.final?.status?.reason].filter(Boolean).join(": ");
      counts.otherEnds[key] = (counts.otherEnds[key] ?? 0) + 1;
    }
  }
  return counts;
}
