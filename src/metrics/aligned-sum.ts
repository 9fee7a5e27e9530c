/** The sum of several series whose samples were taken at about the same moments, e.g. the containers of a pod. */
import type { Series } from "../planning/snapshot.ts";

export interface AlignmentOptions {
  /** Samples that lie this close together count as taken at one moment. Milliseconds. */
  toleranceMs: number;
  /**
   * A part without a sample at a moment counts with its latest earlier one for so long; then it is taken to be gone. A late sample
   * therefore never makes the sum dip. Milliseconds.
   */
  carryMs: number;
}

interface Cursor {
  series: Series;
  /** Index of the next sample not yet passed. */
  next: number;
}

/** One sample for each moment at which any part has one, at the time of the moment's last sample. */
export function alignedSum(parts: readonly Series[], options: AlignmentOptions): Series {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const cursors = parts.map((series) => ({ series, next: 0 }));
  const timesMs: number[] = [];
  const bytes: number[] = [];
  for (let first = earliest(cursors); first !== undefined; first = earliest(cursors)) {
    const momentMs = pass(cursors, first + options.toleranceMs);
    timesMs.push(momentMs);
    bytes.push(sumAt(cursors, momentMs - options.carryMs));
  }
  return { timesMs: Float64Array.from(timesMs), bytes: Float64Array.from(bytes) };
}

function earliest(cursors: readonly Cursor[]): number | undefined {
  let found: number | undefined;
  for (const { series, next } of cursors) {
    const time = series.timesMs[next];
    if (time !== undefined && (found === undefined || time < found)) found = time;
  }
  return found;
}

/** Moves every cursor past the samples up to a moment; answers the time of the last one passed. */
function pass(cursors: readonly Cursor[], untilMs: number): number {
  let last = Number.NEGATIVE_INFINITY;
  for (const cursor of cursors) {
    const { timesMs } = cursor.series;
    let time = timesMs[cursor.next];
    while (time !== undefined && time <= untilMs) {
      last = Math.max(last, time);
      time = timesMs[++cursor.next];
    }
  }
  return last;
}

function sumAt(cursors: readonly Cursor[], notBeforeMs: number): number {
  let sum = 0;
  for (const { series, next } of cursors) {
    const time = series.timesMs[next - 1];
    if (time !== undefined && time >= notBeforeMs) sum += series.bytes[next - 1] ?? 0;
  }
  return sum;
}
