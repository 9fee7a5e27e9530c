import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alignedSum } from "../../src/metrics/aligned-sum.ts";
import type { Series } from "../../src/planning/snapshot.ts";

const OPTIONS = { toleranceMs: 2, carryMs: 60 };

function series(...samples: (readonly [timeMs: number, bytes: number])[]): Series {
  return {
    timesMs: Float64Array.from(samples, ([timeMs]) => timeMs),
    bytes: Float64Array.from(samples, ([, bytes]) => bytes),
  };
}

function sumOf(...parts: Series[]): (readonly [number, number])[] {
  const { timesMs, bytes } = alignedSum(parts, OPTIONS);
  return Array.from(timesMs, (timeMs, index) => [timeMs, bytes[index] ?? Number.NaN] as const);
}

describe("The sum of a pod's containers", () => {
  test("of none is empty, and of one is that one", () => {
    const only = series([1, 10], [2, 20]);
    expect(sumOf()).toEqual([]);
    expect(alignedSum([only], OPTIONS)).toBe(only);
  });

  test("joins samples that are as close as the tolerance, at the time of the last one", () => {
    expect(sumOf(series([100, 1], [115, 2]), series([102, 10], [116, 20]))).toEqual([
      [102, 11],
      [116, 22],
    ]);
  });

  test("does not dip when one container's sample is late or lost", () => {
    expect(sumOf(series([0, 1], [15, 1], [30, 1]), series([0, 10], [30, 10]))).toEqual([
      [0, 11],
      [15, 11],
      [30, 11],
    ]);
  });

  test("drops a container that has been silent for too long, and not before", () => {
    expect(sumOf(series([0, 1], [60, 1], [75, 1]), series([0, 10]))).toEqual([
      [0, 11],
      [60, 11],
      [75, 1],
    ]);
  });

  test("counts a container that starts later from its first sample on", () => {
    expect(sumOf(series([0, 1], [15, 1]), series([15, 10]))).toEqual([
      [0, 1],
      [15, 11],
    ]);
  });

  test("has ascending times, ends with the newest sample and never exceeds the sum of the maxima", () => {
    const part = fc
      .uniqueArray(fc.tuple(fc.nat(1000), fc.nat(1000)), { selector: ([timeMs]) => timeMs, maxLength: 60 })
      .map((all) => series(...all.sort(([a], [b]) => a - b)));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const sums = sumOf(...parts);
        const highest = parts.reduce((sum, { bytes }) => sum + Math.max(0, ...bytes), 0);
        for (const [index, [timeMs, bytes]] of sums.entries()) {
          expect(timeMs).toBeGreaterThan(sums[index - 1]?.[0] ?? -1);
          expect(bytes).toBeLessThanOrEqual(highest);
        }
        const newest = Math.max(-1, ...parts.flatMap(({ timesMs }) => [...timesMs]));
        expect(sums.at(-1)?.[0] ?? -1).toBe(newest);
      }),
    );
  });
});
