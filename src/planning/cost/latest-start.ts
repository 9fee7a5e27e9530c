/** When a move must start at the latest to end in time. Milliseconds since the epoch. */

export type LatestStart =
  | { ok: true; startAtMs: number }
  /** `lateBySeconds`: how long after the deadline it would end if it started now. */
  | { ok: false; reason: "TooLate"; message: string; lateBySeconds: number };

export interface DeadlineOptions {
  nowMs: number;
  /** When the node runs out of memory, at the earliest that the forecast admits. */
  deadlineMs: number;
  /** Between a decision and the move's start, and for the next evaluation to notice: usually one evaluation interval. */
  slackSeconds: number;
}

/** `atMostSeconds`: of a pod as big as it will be at the deadline, since it grows until its move. Starts at the deadline minus all that. */
export function latestSafeStart(atMostSeconds: number, options: DeadlineOptions): LatestStart {
  return latestSafeStarts([atMostSeconds], options)[0] ?? { ok: true, startAtMs: options.nowMs };
}

/** Of moves one after the other, in this order, the last of which ends at the deadline. */
export function latestSafeStarts(atMostSeconds: readonly number[], options: DeadlineOptions): LatestStart[] {
  const { nowMs, deadlineMs, slackSeconds } = options;
  let endMs = deadlineMs - slackSeconds * 1000;
  const starts = atMostSeconds.toReversed().map((seconds) => {
    endMs -= seconds * 1000;
    return endMs;
  });
  // Each waits for those before it, which can't start before now.
  let freeAtMs = nowMs;
  return starts.toReversed().map((startAtMs, index) => {
    const seconds = atMostSeconds[index] ?? 0;
    const lateBySeconds = (freeAtMs - startAtMs) / 1000;
    freeAtMs += seconds * 1000;
    return lateBySeconds > 0 ? tooLate(lateBySeconds, seconds) : { ok: true, startAtMs };
  });
}

function tooLate(lateBySeconds: number, seconds: number): LatestStart {
  const message = `a move of up to ${Math.ceil(seconds)}s would end ${Math.ceil(lateBySeconds)}s after memory may run out`;
  return { ok: false, reason: "TooLate", message, lateBySeconds };
}
