import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BoundedSeries } from "../../src/metrics/bounded-series.ts";

type Sample = readonly [timeMs: number, bytes: number];

const samples = fc.array(fc.tuple(fc.nat(300), fc.nat(1_000_000)), { maxLength: 400 });
const bound = fc.integer({ min: 1, max: 50 });

function filled(max: number, all: readonly Sample[]): BoundedSeries {
  const series = new BoundedSeries(max);
  for (const [timeMs, bytes] of all) series.add(timeMs, bytes);
  return series;
}

function pairs(series: BoundedSeries): Sample[] {
  const { timesMs, bytes } = series.toSeries();
  expect(timesMs.length).toBe(bytes.length);
  return Array.from(timesMs, (time, index) => [time, bytes[index] ?? Number.NaN] as const);
}

/** What the series should hold, said in the plainest way. */
function expected(max: number, all: readonly Sample[]): Sample[] {
  const largest = new Map<number, number>();
  for (const [timeMs, bytes] of all) largest.set(timeMs, Math.max(bytes, largest.get(timeMs) ?? 0));
  return [...largest].sort(([a], [b]) => a - b).slice(-max);
}

describe("A bounded series", () => {
  test("holds the newest samples in ascending time, the larger of two for one moment", () => {
    fc.assert(
      fc.property(bound, samples, (max, all) => {
        expect(pairs(filled(max, all))).toEqual(expected(max, all));
      }),
    );
  });

  test("does not depend on the order of arrival", () => {
    fc.assert(
      fc.property(bound, samples, fc.infiniteStream(fc.nat()), (max, all, keys) => {
        const shuffled = all.map((sample) => ({ sample, key: keys.next().value ?? 0 })).sort((a, b) => a.key - b.key);
        const other = filled(
          max,
          shuffled.map(({ sample }) => sample),
        );
        expect(pairs(other)).toEqual(pairs(filled(max, all)));
      }),
    );
  });

  test("is not changed by samples it has already seen", () => {
    fc.assert(
      fc.property(bound, samples, (max, all) => {
        const series = filled(max, all);
        const before = pairs(series);
        for (const [timeMs, bytes] of all) series.add(timeMs, bytes);
        expect(pairs(series)).toEqual(before);
      }),
    );
  });

  test("forgets what lies before a moment and goes on correctly", () => {
    fc.assert(
      fc.property(bound, samples, fc.nat(300), samples, (max, first, cut, second) => {
        const series = filled(max, first);
        const kept = pairs(series).filter(([timeMs]) => timeMs >= cut);
        series.dropBefore(cut);
        expect(pairs(series)).toEqual(kept);
        for (const [timeMs, bytes] of second) series.add(timeMs, bytes);
        expect(pairs(series)).toEqual(expected(max, [...kept, ...second]));
      }),
    );
  });

  test("hands out copies that later samples leave alone", () => {
    const series = filled(3, [[1, 10]]);
    const copy = series.toSeries();
    series.add(1, 99);
    series.add(2, 20);
    expect(copy).toEqual({ timesMs: Float64Array.of(1), bytes: Float64Array.of(10) });
  });

  test("refuses a bound that bounds nothing", () => {
    for (const max of [0, -1, 1.5, Number.NaN]) expect(() => new BoundedSeries(max)).toThrow(RangeError);
  });
});
