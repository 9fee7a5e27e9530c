/** Whether the moves came to what their objects say. */
import { FINAL_PHASES } from "../harness/moves.ts";
import type { Life, Stay } from "../harness/testimony.ts";
import { lastHeard } from "./losses.ts";
import {
  type ChaosRecord,
  clock,
  enteredAt,
  finalPhase,
  isCommitted,
  type JudgedMove,
  type JudgedWorkload,
  type Span,
  type StruckFault,
  spanOf,
  touches,
} from "./record.ts";

/** What the watch sees, and what an agent's clock and the witness's may differ by. */
const SLACK_MS = 2000;
/** An agent that was killed comes back some seconds later, and does not know when it froze the process. */
const AFTERMATH_MS = 10_000;
const FREEZE_SLACK_MS = 500;
const FREEZE_SLACK_PART = 0.15;

/** Sentences about one move. */
export function moveFaults(record: ChaosRecord, move: JudgedMove): string[] {
  if (move.stillOpen) return [`stuck: ${nameOf(move)} is still ${finalPhase(move) ?? "without a phase"}`];
  const workload = record.workloads.find(({ name }) => name === move.workload);
  if (workload === undefined) return [];
  return [...wrongNode(move, workload), ...wrongFreeze(record, move, workload)];
}

function nameOf({ namespace, name, workload }: JudgedMove): string {
  return `move ${namespace}/${name} of ${workload}`;
}

/** The process that the move was about, if it was heard after the move's end: where it was then. An end is judged elsewhere. */
function wrongNode(move: JudgedMove, { testimony }: JudgedWorkload): string[] {
  const phase = finalPhase(move);
  const { sourceNode, targetNode } = move.final?.status ?? {};
  const expected = phase === "Succeeded" ? targetNode : sourceNode;
  const endedAtMs = enteredAt(move, ...FINAL_PHASES);
  if (expected === undefined || endedAtMs === undefined || phase === "Failed") return [];
  const life = lifeAt(testimony.lives, move.phases[0]?.atMs ?? endedAtMs); // its owner may make another meanwhile
  const stay = life?.stays.find(({ lastAtMs }) => lastAtMs > endedAtMs);
  if (stay === undefined || stay.node === expected) return [];
  return [
    `disagrees: ${nameOf(move)} is ${phase}, but the process was heard from ${stay.node} afterwards, not from ${expected}`,
  ];
}

/** The life that was heard last before a time. */
function lifeAt(lives: readonly Life[], atMs: number): Life | undefined {
  return lives.findLast(({ firstAtMs }) => firstAtMs <= atMs);
}

function wrongFreeze(record: ChaosRecord, move: JudgedMove, { testimony }: JudgedWorkload): string[] {
  const told = move.final?.status?.freezeMilliseconds;
  const span = spanOfFreeze(move);
  const isFelt = (fault: StruckFault): boolean => {
    const { fromMs, toMs } = spanOf(fault);
    return span !== undefined && touches({ fromMs, toMs: toMs + AFTERMATH_MS }, span);
  };
  if (told === undefined || span === undefined || record.faults.some(isFelt)) return [];
  const began = testimony.silences.filter(({ fromMs }) => fromMs >= span.fromMs && fromMs <= span.toMs);
  const heard = Math.max(0, ...began.map(({ milliseconds }) => milliseconds));
  if (Math.abs(told - heard) <= FREEZE_SLACK_MS + FREEZE_SLACK_PART * Math.max(told, heard)) return [];
  return [
    `disagrees: ${nameOf(move)} says that it was frozen for ${told} ms; it was silent for ${Math.round(heard)} ms`,
  ];
}

function spanOfFreeze(move: JudgedMove): Span | undefined {
  const frozenAtMs = enteredAt(move, "Frozen");
  const endedAtMs = enteredAt(move, ...FINAL_PHASES);
  if (frozenAtMs === undefined || endedAtMs === undefined) return undefined;
  return { fromMs: frozenAtMs - SLACK_MS, toMs: endedAtMs + SLACK_MS };
}

/** A process changes its node by a committed move alone. */
export function unexplainedStays({ moves }: ChaosRecord, { name, testimony }: JudgedWorkload): string[] {
  const own = moves.filter(({ workload }) => workload === name);
  return testimony.lives.flatMap(({ instance, stays }) =>
    stays.slice(1).flatMap((stay, index) => {
      const from = stays[index]?.node;
      if (own.some((move) => explains(move, from, stay))) return [];
      const when = `at ${clock(stay.firstAtMs)}`;
      return [
        `doubled: ${name} (${instance}) was heard from ${stay.node} ${when}; no committed move brought it from ${from}`,
      ];
    }),
  );
}

/** The copy of a move that was rolled back never runs. A move whose object is gone says no nodes any more: it explains whatever it may. */
function explains(move: JudgedMove, from: string | undefined, { node, firstAtMs }: Stay): boolean {
  const { sourceNode = from, targetNode = node } = move.final?.status ?? {};
  const fromMs = enteredAt(move, "Preparing", "Frozen", "Restoring", "Committed", "Succeeded") ?? firstAtMs;
  const toMs = enteredAt(move, ...FINAL_PHASES) ?? firstAtMs;
  const inTime = firstAtMs >= fromMs - SLACK_MS && firstAtMs <= toMs + SLACK_MS;
  return inTime && isCommitted(move) && sourceNode === from && targetNode === node;
}

/** Of a workload that is alive: the API must know it where the witness hears it. */
export function wrongPods(workload: JudgedWorkload): string[] {
  const { name, pods } = workload;
  const node = lastHeard(workload)?.stays.at(-1)?.node;
  const shown = pods.map((pod) => `${pod.name} on ${pod.node}${pod.ready ? "" : " (not ready)"}`).join(", ") || "none";
  const right = pods.length === 1 && pods[0]?.node === node && pods[0]?.ready;
  return right ? [] : [`disagrees: ${name} is heard from ${node}, and its pods are: ${shown}`];
}
