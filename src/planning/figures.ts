/** Judges measured figures: only a fresh, plausible one may make a node look safe or be a reason to move. */
import type { Reason } from "./decision.ts";
import type { Figure } from "./snapshot.ts";

/** A sample may be this much ahead of our clock before it is not believed. */
const CLOCK_SKEW_MS = 10_000;
/** Use above capacity counts as "nothing free"; from this many times the capacity on, the figure is nonsense. */
const ABSURD_FACTOR = 2;

export type FigureProblem = "MetricsMissing" | "MetricsStale" | "MetricsImplausible";
export type Judged =
  | { ok: true; usedBytes: number; estimated: boolean }
  | { ok: false; reason: FigureProblem; message: string };

const problem = (reason: FigureProblem, message: string): Judged => ({ ok: false, reason, message });

/** `capacityBytes` is that of the node; `what` names the node or pod, and is asked for messages only. */
export function judge(
  figure: Figure | undefined,
  context: { nowMs: number; staleAfterSeconds: number; capacityBytes: number; what: () => string },
): Judged {
  const { nowMs, staleAfterSeconds, capacityBytes, what } = context;
  const usedBytes = figure?.usedBytes;
  if (figure === undefined || usedBytes === undefined)
    return problem("MetricsMissing", `${what()} has no memory figure`);
  if (!(usedBytes >= 0) || usedBytes >= ABSURD_FACTOR * capacityBytes) {
    return problem("MetricsImplausible", `${what()} is said to use ${usedBytes} bytes, which cannot be`);
  }
  if (figure.suspect === true) return problem("MetricsImplausible", `${what()} has newer figures that cannot be`);
  return judgeAge(figure.sampledAtMs, usedBytes, { nowMs, staleAfterSeconds, what });
}

function judgeAge(
  sampledAtMs: number | undefined,
  usedBytes: number,
  { nowMs, staleAfterSeconds, what }: { nowMs: number; staleAfterSeconds: number; what: () => string },
): Judged {
  if (sampledAtMs === undefined) return problem("MetricsStale", `${what()} has a memory figure of unknown age`);
  const ageMs = nowMs - sampledAtMs;
  if (!(ageMs >= -CLOCK_SKEW_MS)) return problem("MetricsImplausible", `${what()} has a memory figure from the future`);
  if (ageMs > staleAfterSeconds * 1000) {
    return problem("MetricsStale", `the memory figure of ${what()} is ${Math.round(ageMs / 1000)}s old`);
  }
  return { ok: true, usedBytes, estimated: false };
}

/** A reason to put into a refusal. */
export function problemOf(judged: Judged & { ok: false }): Reason {
  return { reason: judged.reason, message: judged.message };
}
