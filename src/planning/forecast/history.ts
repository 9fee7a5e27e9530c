/** A series made fit for forecasting: what cannot be is dropped and counted, the rest is in order of time. */
import type { Series } from "../snapshot.ts";

/** A sample may be this much ahead of our clock before it is not believed. */
const CLOCK_SKEW_MS = 10_000;
/** Older samples say nothing about today. */
const MAX_AGE_MS = 366 * 86_400_000;
/** More bytes than any machine has; beyond it sums would lose whole bytes. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/**
 * Invariants: `timesMs` strictly ascends in whole numbers; `bytes` is within [0, 2^53); both have the same length, at least 1. May share the
 * series' own arrays.
 */
export interface History extends Series {
  /** The moment of the forecast. */
  readonly nowMs: number;
  /** Samples that were left out: not a number, negative, absurdly large, from the future or a year ago, or a smaller one of the same moment. */
  readonly dropped: number;
}

/** Undefined: not one usable sample. The order of the samples does not matter; of two of one millisecond the larger stays. */
export function toHistory(series: Series, nowMs: number): History | undefined {
  if (isFit(series, nowMs)) return { timesMs: series.timesMs, bytes: series.bytes, nowMs, dropped: 0 };
  const usable = usableIndices(series, nowMs);
  usable.sort((a, b) => at(series.timesMs, a) - at(series.timesMs, b));
  const timesMs = new Float64Array(usable.length);
  const bytes = new Float64Array(usable.length);
  let length = 0;
  for (const index of usable) {
    const time = Math.round(at(series.timesMs, index));
    const value = at(series.bytes, index);
    if (length > 0 && at(timesMs, length - 1) === time) bytes[length - 1] = Math.max(at(bytes, length - 1), value);
    else {
      timesMs[length] = time;
      bytes[length++] = value;
    }
  }
  if (length === 0) return undefined;
  const dropped = Math.max(series.timesMs.length, series.bytes.length) - length;
  return { timesMs: timesMs.subarray(0, length), bytes: bytes.subarray(0, length), nowMs, dropped };
}

/** Nearly every series is fit as it is: of it nothing is copied. */
function isFit({ timesMs, bytes }: Series, nowMs: number): boolean {
  if (timesMs.length === 0 || timesMs.length !== bytes.length) return false;
  if (at(timesMs, 0) < nowMs - MAX_AGE_MS || at(timesMs, timesMs.length - 1) > nowMs + CLOCK_SKEW_MS) return false;
  let before = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < timesMs.length; index++) {
    const time = at(timesMs, index);
    const value = at(bytes, index);
    if (!(time > before && Math.round(time) === time && value >= 0 && value < MAX_BYTES)) return false;
    before = time;
  }
  return true;
}

function usableIndices({ timesMs, bytes }: Series, nowMs: number): number[] {
  const usable: number[] = [];
  for (let index = 0; index < Math.min(timesMs.length, bytes.length); index++) {
    const time = at(timesMs, index);
    const value = at(bytes, index);
    const isPossible = value >= 0 && value < MAX_BYTES;
    if (isPossible && time <= nowMs + CLOCK_SKEW_MS && time >= nowMs - MAX_AGE_MS) usable.push(index);
  }
  return usable;
}

/** The element. Every index in this folder is within the ends; one that is not would be 0, and slow down every other. */
export function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}

/** From the first to the `end`-th sample (exclusive). */
export function spanSeconds({ timesMs }: History, end = timesMs.length): number {
  return (at(timesMs, end - 1) - at(timesMs, 0)) / 1000;
}

/** Since the newest sample; less than nothing for one that is ahead of our clock. */
export function ageSeconds({ timesMs, nowMs }: History): number {
  return (nowMs - at(timesMs, timesMs.length - 1)) / 1000;
}
