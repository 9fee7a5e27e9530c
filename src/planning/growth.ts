/** How fast memory grows, in bytes per minute: what the last minutes of a series show, robust against single odd samples. */
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

/** The median of the slopes between all pairs of samples (Theil 1950, Sen 1968). */
function theilSen({ timesMs, bytes }: Series): number | undefined {
  const at = recent(timesMs);
  const slopes: number[] = [];
  for (const [position, later] of at.entries()) {
    for (const earlier of at.slice(0, position)) {
      const minutes = ((timesMs[later] ?? 0) - (timesMs[earlier] ?? 0)) / 60_000;
      if (minutes > 0) slopes.push(((bytes[later] ?? 0) - (bytes[earlier] ?? 0)) / minutes);
    }
  }
  return median(slopes);
}

/** Indices, ascending. */
function recent(timesMs: Float64Array): number[] {
  const fromMs = (timesMs.at(-1) ?? 0) - WINDOW_MS;
  let first = timesMs.length;
  while (first > 0 && (timesMs[first - 1] ?? 0) >= fromMs) first -= 1;
  const count = timesMs.length - first;
  if (count <= MAX_SAMPLES) return Array.from({ length: count }, (_, index) => first + index);
  const step = (count - 1) / (MAX_SAMPLES - 1);
  return Array.from({ length: MAX_SAMPLES }, (_, index) => first + Math.round(index * step));
}

function median(values: number[]): number | undefined {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined || sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? upper) + upper) / 2;
}
