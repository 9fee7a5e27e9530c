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

/** The highest use in each of at most `most` stretches: as recorded, or of as many records side by side as it takes. No peak is lost. */
export function timelineOf(run: RunRecord, most: number): Timeline {
  const recorded = run.recordedSeconds ?? new Float64Array();
  const joined = Math.max(1, Math.ceil(recorded.length / most));
  const buckets = Math.max(1, Math.ceil(recorded.length / joined));
  const figures = new Uint16Array(buckets * run.nodes.length);
  for (const [index, { usedBytes = new Float64Array(), capacityBytes }] of run.nodes.entries()) {
    const row = figures.subarray(index * buckets, (index + 1) * buckets);
    fillRow(row, usedBytes, joined, UNITS_PER_CAPACITY / capacityBytes);
  }
  return { buckets, bucketSeconds: joined * (recorded[1] ?? run.endSeconds), figures };
}

function fillRow(row: Uint16Array, used: Float64Array, joined: number, scale: number): void {
  for (let bucket = 0; bucket < row.length; bucket++) {
    const highest = used.subarray(bucket * joined, (bucket + 1) * joined).reduce((most, one) => Math.max(most, one), 0);
    row[bucket] = Math.min(65_535, Math.round(highest * scale));
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
