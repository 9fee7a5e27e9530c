/** A series made fit for forecasting: what cannot be is dropped and counted, the rest is in order of time. */
import type { Series } from "../snapshot.ts";

/** A sample may be this much ahead of our clock before it is not believed. */
const CLOCK_SKEW_SECONDS = 10;
/** Older samples say nothing about today. */
const MAX_AGE_SECONDS = 366 * 86_400;
/** More bytes than any machine has; beyond it sums would lose whole bytes. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/** Invariants: `seconds` strictly ascends and is finite; `bytes` is within [0, 2^53); both have the same length, at least 1. */
export interface History {
  /** Relative to the moment of the forecast: the past is negative. */
  readonly seconds: Float64Array;
  readonly bytes: Float64Array;
  /** Samples that were left out: not a number, negative, absurdly large, from the future or a year ago, or a smaller one of the same moment. */
  readonly dropped: number;
}

/** Undefined: not one usable sample. The order of the samples does not matter; of two of one millisecond the larger stays. */
export function toHistory(series: Series, nowMs: number): History | undefined {
  const usable = usableIndices(series, nowMs);
  if (!ascends(series.timesMs, usable)) usable.sort((a, b) => at(series.timesMs, a) - at(series.timesMs, b));
  const seconds = new Float64Array(usable.length);
  const bytes = new Float64Array(usable.length);
  let length = 0;
  for (const index of usable) {
    const time = Math.round(at(series.timesMs, index) - nowMs) / 1000;
    const value = at(series.bytes, index);
    if (length > 0 && at(seconds, length - 1) === time) bytes[length - 1] = Math.max(at(bytes, length - 1), value);
    else {
      seconds[length] = time;
      bytes[length++] = value;
    }
  }
  if (length === 0) return undefined;
  const dropped = Math.max(series.timesMs.length, series.bytes.length) - length;
  return { seconds: seconds.subarray(0, length), bytes: bytes.subarray(0, length), dropped };
}

function usableIndices({ timesMs, bytes }: Series, nowMs: number): number[] {
  const latestMs = nowMs + CLOCK_SKEW_SECONDS * 1000;
  const earliestMs = nowMs - MAX_AGE_SECONDS * 1000;
  const usable: number[] = [];
  for (let index = 0; index < Math.min(timesMs.length, bytes.length); index++) {
    const time = at(timesMs, index);
    const value = at(bytes, index);
    if (value >= 0 && value < MAX_BYTES && time <= latestMs && time >= earliestMs) usable.push(index);
  }
  return usable;
}

function ascends(times: Float64Array, indices: readonly number[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const index of indices) {
    if (at(times, index) < last) return false;
    last = at(times, index);
  }
  return true;
}

/** The element. Every index in this folder is within the ends; one that is not would be 0, and slow down every other. */
export function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}

/** Seconds from the first to the `end`-th sample (exclusive). */
export function spanSeconds(history: History, end = history.seconds.length): number {
  return at(history.seconds, end - 1) - at(history.seconds, 0);
}
