/** How fast memory grows, in bytes per minute: what the last minutes of a series show, robust against single odd samples. */
import { medianOf } from "./forecast/order-statistics.ts";
import type { Figure, Series } from "./snapshot.ts";

/** Older samples tell of what has been, not of what comes. */
const WINDOW_MS = 5 * 60_000;
/** Of more samples, as many are taken, evenly spread: the pairs stay few. */
const MAX_SAMPLES = 16;

/** Undefined: no series of at least two samples, and no growth written beside the figure. */
export function growthPerMinute(figure: Figure & { growthBytesPerMinute?: number }): number | undefined {
  const growth = figure.series === undefined ? figure.growthBytesPerMinute : theilSen(figure.series);
  return growth !== undefined && Number.isFinite(growth) ? growth : undefined;
}

// Scratch space, used anew each time: growth is asked of every pod of a cluster.
const SLOPES = new Float64Array((MAX_SAMPLES * (MAX_SAMPLES - 1)) / 2);
const MINUTES = new Float64Array(MAX_SAMPLES);
const BYTES = new Float64Array(MAX_SAMPLES);

/** The median of the slopes between all pairs of samples (Theil 1950, Sen 1968). */
function theilSen(series: Series): number | undefined {
  const samples = takeRecent(series);
  let count = 0;
  for (let later = 1; later < samples; later++) {
    const minutes = at(MINUTES, later);
    const bytes = at(BYTES, later);
    for (let earlier = 0; earlier < later; earlier++) {
      const slope = (bytes - at(BYTES, earlier)) / (minutes - at(MINUTES, earlier));
      // Two samples of one time have no slope.
      if (slope - slope === 0) SLOPES[count++] = slope;
    }
  }
  return count === 0 ? undefined : medianOf(SLOPES, count);
}

/** Copies the samples of the last minutes, at most as many as are taken, ascending by time; how many. */
function takeRecent({ timesMs, bytes }: Series): number {
  const fromMs = (timesMs.at(-1) ?? 0) - WINDOW_MS;
  let first = timesMs.length;
  while (first > 0 && at(timesMs, first - 1) >= fromMs) first -= 1;
  const count = timesMs.length - first;
  const taken = Math.min(count, MAX_SAMPLES);
  const step = count > MAX_SAMPLES ? (count - 1) / (MAX_SAMPLES - 1) : 1;
  for (let index = 0; index < taken; index++) {
    const from = first + Math.round(index * step);
    MINUTES[index] = (at(timesMs, from) - fromMs) / 60_000;
    BYTES[index] = at(bytes, from);
  }
  return taken;
}

/** Every index is within the samples. */
function at(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}
