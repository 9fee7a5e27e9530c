/** The memory of a run's nodes, made small: a figure for each of a few hundred stretches of time, packed as differences. */
import type { RunRecord } from "../../run-record.ts";

/** Parts of a node's capacity that a figure counts; 65535 of them are about 6.5 times the capacity. */
export const UNITS_PER_CAPACITY = 10_000;

export interface Timeline {
  buckets: number;
  bucketSeconds: number;
  /** By node, then time, in {@link UNITS_PER_CAPACITY}. */
  figures: Uint16Array;
}

/** The highest use in each of at most `buckets` stretches, so that no peak is lost; a stretch without a record goes on as the one before. */
export function timelineOf(run: RunRecord, buckets: number): Timeline {
  const seconds = run.recordedSeconds ?? new Float64Array();
  const count = Math.max(1, Math.min(buckets, seconds.length));
  const bucketSeconds = run.endSeconds > 0 ? run.endSeconds / count : 1;
  const figures = new Uint16Array(count * run.nodes.length);
  for (const [index, node] of run.nodes.entries()) {
    const row = figures.subarray(index * count, (index + 1) * count);
    fillRow(row, seconds, node.usedBytes ?? new Float64Array(), bucketSeconds, UNITS_PER_CAPACITY / node.capacityBytes);
  }
  return { buckets: count, bucketSeconds, figures };
}

function fillRow(
  row: Uint16Array,
  seconds: Float64Array,
  used: Float64Array,
  bucketSeconds: number,
  scale: number,
): void {
  let record = 0;
  let last = 0;
  for (let bucket = 0; bucket < row.length; bucket++) {
    const until = bucket === row.length - 1 ? Number.POSITIVE_INFINITY : (bucket + 1) * bucketSeconds;
    let highest = -1;
    for (; record < used.length && (seconds[record] ?? 0) < until; record++) {
      last = used[record] ?? last;
      if (last > highest) highest = last;
    }
    row[bucket] = Math.min(65_535, Math.round((highest < 0 ? last : highest) * scale));
  }
}

/**
 * Differences from one stretch to the next, zigzag-coded, first all low bytes, then all high bytes: most of it is zeros and small
 * numbers, which deflate well. ./page/run.js reads it.
 */
export function packFigures(figures: Uint16Array, buckets: number): Uint8Array {
  const packed = new Uint8Array(figures.length * 2);
  for (let index = 0; index < figures.length; index++) {
    const before = index % buckets === 0 ? 0 : (figures[index - 1] ?? 0);
    const difference = (((figures[index] ?? 0) - before) << 16) >> 16;
    const zigzag = (difference << 1) ^ (difference >> 15);
    packed[index] = zigzag & 0xff;
    packed[figures.length + index] = (zigzag >> 8) & 0xff;
  }
  return packed;
}
