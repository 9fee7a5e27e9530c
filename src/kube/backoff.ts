/** Exponential back-off with jitter, so that many clients that failed together don't come back together. */
export interface BackoffLimits {
  /** After the first failure, milliseconds. */
  firstMs: number;
  /** Never more than this, milliseconds. */
  limitMs: number;
}

/**
 * How long to wait after so many failures in a row, in milliseconds: firstMs · 2^(failures−1), at most limitMs, of
 * which a random half to the whole. At least what the server asked for, when it did.
 * @param random uniform in [0, 1)
 */
export function backoffMs(
  failures: number,
  limits: BackoffLimits,
  random: () => number,
  retryAfterSeconds?: number | undefined,
): number {
  const full = Math.min(limits.limitMs, limits.firstMs * 2 ** Math.min(failures - 1, 30));
  const jittered = Math.round(full * (0.5 + random() / 2));
  return Math.max(jittered, (retryAfterSeconds ?? 0) * 1000);
}
