/** Samples as written, made usable: ascending, one for each moment, the doubtful ones left out and the figure marked. */
import type { WrittenSeries } from "../../api/v1alpha1/cluster-snapshot.ts";
import type { Figure } from "../snapshot.ts";

interface Sample {
  timeMs: number;
  bytes: number;
}

/** A sample may be this much ahead of the snapshot's time before it is not believed. */
const CLOCK_SKEW_MS = 10_000;
/** From this many times the node's capacity on, a sample is nonsense. */
const ABSURD_FACTOR = 2;

export interface SeriesContext {
  nowMs: number;
  /** Of the node that is, or holds, what was measured; 0: not known. */
  capacityBytes: number;
}

/**
 * In any order; of several samples for one moment the greatest counts. Negative, absurd and future samples are left out; if
 * one of them is newer than all that are left, or nothing is left, the figure is suspect: it never makes a node look safer.
 */
export function readSeries(written: WrittenSeries, context: SeriesContext): Figure {
  const samples = samplesOf(written);
  const usable = samples.filter((sample) => isPlausible(sample, context));
  const newest = (list: readonly Sample[]) => list.reduce((last, { timeMs }) => Math.max(last, timeMs), -Infinity);
  const kept = greatestByTime(usable);
  const last = kept.at(-1);
  return {
    usedBytes: last?.bytes,
    sampledAtMs: last?.timeMs,
    series: {
      timesMs: Float64Array.from(kept, ({ timeMs }) => timeMs),
      bytes: Float64Array.from(kept, ({ bytes }) => bytes),
    },
    suspect: last === undefined || newest(samples) > last.timeMs,
  };
}

function samplesOf(written: WrittenSeries): Sample[] {
  const all = Array.isArray(written)
    ? written.map(({ time, bytes }) => ({ timeMs: time, bytes }))
    : written.bytes.map((bytes, index) => ({ timeMs: written.start + index * written.step * 1000, bytes }));
  return all.flatMap(({ timeMs, bytes }) => (bytes === null ? [] : [{ timeMs, bytes }]));
}

function isPlausible({ timeMs, bytes }: Sample, { nowMs, capacityBytes }: SeriesContext): boolean {
  const absurd = capacityBytes > 0 && bytes >= ABSURD_FACTOR * capacityBytes;
  return bytes >= 0 && Number.isFinite(bytes) && !absurd && timeMs <= nowMs + CLOCK_SKEW_MS;
}

function greatestByTime(samples: readonly Sample[]): Sample[] {
  const byTime = new Map<number, number>();
  for (const { timeMs, bytes } of samples) byTime.set(timeMs, Math.max(bytes, byTime.get(timeMs) ?? 0));
  return [...byTime].map(([timeMs, bytes]) => ({ timeMs, bytes })).sort((a, b) => a.timeMs - b.timeMs);
}
