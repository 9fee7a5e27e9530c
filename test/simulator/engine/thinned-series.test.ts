import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ThinnedSeries } from "../../../src/simulator/engine/thinned-series.ts";

const filled = (most: number, spacingMs: number, times: readonly number[]) => {
  const series = new ThinnedSeries(most, spacingMs);
  for (const time of times) series.push(time, time / 10);
  return series;
};
const times = (series: ThinnedSeries) => [...series.view().timesMs];

describe("a thinned series", () => {
  it("keeps samples that are far enough apart, and the newest", () => {
    expect(times(filled(10, 30, [0, 10, 20, 30, 40, 65, 70, 80]))).toEqual([0, 30, 65, 80]);
    expect(times(filled(10, 30, [0, 10, 20, 30]))).toEqual([0, 30]);
    expect(times(filled(10, 30, []))).toEqual([]);
  });

  it("keeps the last so many", () => {
    const series = filled(
      4,
      10,
      Array.from({ length: 1000 }, (_, index) => index * 10),
    );
    expect(times(series)).toEqual([9960, 9970, 9980, 9990]);
    expect([...series.view().bytes]).toEqual([996, 997, 998, 999]);
  });

  it("is what thinning the whole series at once would give", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 40 }),
        (steps, spacing, most) => {
          const all = steps.map((_, index) => steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0));
          const kept: number[] = [];
          for (const time of all) if (kept.length === 0 || time - (kept.at(-1) ?? 0) >= spacing) kept.push(time);
          const newest = all.at(-1);
          if (newest !== undefined && kept.at(-1) !== newest) kept.push(newest);
          expect(times(filled(most, spacing, all))).toEqual(kept.slice(-most));
        },
      ),
    );
  });
});
