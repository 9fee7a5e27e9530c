/** When moves that must all have ended by a deadline start: as late as is safe, in rounds when they cannot all run at once. */
import { type DeadlineOptions, latestSafeStarts } from "../cost/latest-start.ts";

export interface Rounds {
  /** Moves that run at once. */
  atOnce: number;
  /** From the end of a round to the start of the next, at most. */
  gapSeconds: number;
  /** When moves of other nodes are planned, beside which nothing starts; absent: moves may overlap. */
  taken?: readonly Span[];
}

/** Milliseconds since the epoch. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export interface Timing {
  /** Of each move; not before now. */
  startsAtMs: number[];
  /** So long after the deadline the last of them may end, when all start as early as they can; 0: in time. */
  lateBySeconds: number;
}

/** `atMostSeconds`: of each move, in their order. */
export function timeMoves(atMostSeconds: readonly number[], deadline: DeadlineOptions, rounds: Rounds): Timing {
  const { nowMs, deadlineMs } = deadline;
  const seconds = roundSeconds(atMostSeconds, rounds);
  const latest = latestSafeStarts(seconds, { ...deadline, deadlineMs: freeUntil(seconds, deadline, rounds) });
  let earliestMs = nowMs;
  const starts = seconds.map((taken, round) => {
    const start = latest[round];
    const startMs = start?.ok === true ? Math.max(Math.floor(start.startAtMs), earliestMs) : earliestMs;
    earliestMs += Math.ceil(taken * 1000);
    return startMs;
  });
  return {
    startsAtMs: atMostSeconds.map((_, index) => starts[Math.floor(index / rounds.atOnce)] ?? nowMs),
    lateBySeconds: Math.max(0, (earliestMs - deadlineMs) / 1000),
  };
}

/** The latest moment up to the deadline at which all can have ended without meeting those of other nodes. */
function freeUntil(seconds: readonly number[], { deadlineMs, slackSeconds }: DeadlineOptions, rounds: Rounds): number {
  const gapMs = rounds.gapSeconds * 1000;
  const lengthMs = (seconds.reduce((sum, one) => sum + one, 0) + slackSeconds) * 1000;
  const latestFirst = (rounds.taken ?? []).toSorted((a, b) => b.fromMs - a.fromMs);
  return latestFirst.reduce((endMs, { fromMs, toMs }) => {
    const meets = endMs + gapMs > fromMs && endMs - lengthMs < toMs + gapMs;
    return meets ? fromMs - gapMs : endMs;
  }, deadlineMs);
}

/** A round takes as long as its longest move, and all but the last the gap after it. */
function roundSeconds(atMostSeconds: readonly number[], { atOnce, gapSeconds }: Rounds): number[] {
  const count = Math.ceil(atMostSeconds.length / atOnce);
  return Array.from({ length: count }, (_, round) => {
    const longest = Math.max(...atMostSeconds.slice(round * atOnce, (round + 1) * atOnce));
    return longest + (round < count - 1 ? gapSeconds : 0);
  });
}
