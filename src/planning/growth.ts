/** How fast memory grows, in bytes per minute: what the last minutes of a series show, robust against single odd samples. */
import { medianOf } from "./forecast/order-statistics.ts";
import type { Figure, Series } from "./snapshot.ts";

/** Older samples tell of what has been, not of what comes. */
const WINDOW_MS = 5 * 60_000;
/** Of more samples, as many are taken, evenly spread: the pairs stay few. */
const MAX_SAMPLES = 21;

/** Undefined: no series of at least two samples, and no growth written beside the figure. */
export function growthPerMinute(figure: Figure & { growthBytesPerMinute?: number }): number | undefined {
  const growth = figure.series === undefined ? figure.growthBytesPerMinute : theilSen(figure.series);
  return growth !== undefined && Number.isFinite(growth) ? growth : undefined;
}

const SLOPES = new Float64Array((MAX_SAMPLES * (MAX_SAMPLES - 1)) / 2);
const AT = new Int32Array(MAX_SAMPLES);

/** The median of the slopes between all pairs of samples (Theil 1950, Sen 1968). Its scratch space is used anew each time. */
function theilSen({ timesMs, bytes }: Series): number | undefined {
  const samples = recent(timesMs);
  let count = 0;
  for (let position = 1; position < samples; position++) {
    const later = at(AT, position);
    const [timeMs, value] = [at(timesMs, later), at(bytes, later)];
    for (let before = 0; before < position; before++) {
      const earlier = at(AT, before);
      const slope = (value - at(bytes, earlier)) / ((timeMs - at(timesMs, earlier)) / 60_000);
      if (Number.isFinite(slope)) SLOPES[count++] = slope;
    }
  }
  return count === 0 ? undefined : medianOf(SLOPES, count);
}

/** Samples of the last minutes, at most as many as are taken: writes their indices into {@link AT}, ascending; how many. */
function recent(timesMs: Float64Array): number {
  const fromMs = (timesMs.at(-1) ?? 0) - WINDOW_MS;
  let first = timesMs.length;
  while (first > 0 && at(timesMs, first - 1) >= fromMs) first -= 1;
  const count = timesMs.length - first;
  const taken = Math.min(count, MAX_SAMPLES);
  const step = count > MAX_SAMPLES ? (count - 1) / (MAX_SAMPLES - 1) : 1;
  for (let index = 0; index < taken; index++) AT[index] = first + Math.round(index * step);
  return taken;
}

/** Every index is within the samples. */
function at(values: Float64Array | Int32Array, index: number): number {
  return values[index] ?? 0;
}
