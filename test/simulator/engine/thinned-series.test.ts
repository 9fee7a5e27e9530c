import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ThinnedSeries } from "../../../src/simulator/engine/thinned-series.ts";

const filled = (
  most: number,
  stretchMs: number,
  times: readonly number[],
  lookedAt: (index: number) => boolean = () => false,
) => {
  const series = new ThinnedSeries(most, stretchMs);
  times.forEach((time, index) => {
    series.push(time, time / 10);
    if (lookedAt(index)) series.view(time);
  });
  return { series, newest: times.at(-1) ?? 0 };
};
const times = ({ series, newest }: ReturnType<typeof filled>) => [...series.view(newest).timesMs];

describe("a thinned series", () => {
  it("keeps the first sample of each stretch of the clock, and the newest", () => {
    expect(times(filled(10, 30, [0, 10, 20, 30, 40, 65, 70, 80]))).toEqual([0, 30, 65, 80]);
    expect(times(filled(10, 30, [20, 40, 50, 60]))).toEqual([20, 40, 60]);
    expect(times(filled(10, 30, []))).toEqual([]);
  });

  it("keeps the last so many", () => {
    const many = filled(
      4,
      10,
      Array.from({ length: 1000 }, (_, index) => index * 10),
    );
    expect(times(many)).toEqual([9960, 9970, 9980, 9990]);
    expect([...many.series.view(many.newest).bytes]).toEqual([996, 997, 998, 999]);
  });

  it("reaches back so many stretches, however few samples they hold", () => {
    expect(times(filled(4, 10, [0, 10, 20, 900, 910]))).toEqual([900, 910]);
  });

  it("is what thinning the whole series at once would give, whenever it was looked at", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (steps, stretchMs, most, every) => {
          const all = steps.map((_, index) => steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0));
          const stretchOf = (time = 0) => Math.floor(time / stretchMs);
          const newest = all.at(-1);
          const kept = all.filter(
            (time, index) => time === newest || index === 0 || stretchOf(time) !== stretchOf(all[index - 1]),
          );
          const near = kept.slice(-most).filter((time) => stretchOf(time) >= stretchOf(newest) - most);
          expect(times(filled(most, stretchMs, all, (index) => index % every === 0))).toEqual(near);
        },
      ),
    );
  });
});
