/** Which stretch of time to ask for: only what is new since the last answer, with an overlap for samples that arrive late. */
export interface WindowOptions {
  retentionMs: number;
  /** Agents write in batches, and again after a failure: so late a sample is still picked up. Milliseconds. */
  overlapMs: number;
}

/**
 * @param answeredAtMs when the last complete answer was asked for; undefined before the first. While InfluxDB is down this stays
 *   as it is, so that the first answer afterwards fills the gap.
 */
export function windowStart(nowMs: number, answeredAtMs: number | undefined, options: WindowOptions): number {
  const everything = nowMs - options.retentionMs;
  if (answeredAtMs === undefined) return everything;
  // A clock that was set back must not open a window in the future.
  return Math.max(everything, Math.min(nowMs, answeredAtMs) - options.overlapMs);
}
