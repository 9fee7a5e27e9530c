import { describe, expect, it } from "vitest";
import { estimate, pairedDifference, sideOfZero, tQuantile95 } from "../../../src/simulator/comparing/statistics.ts";

describe("Student's t, two-sided 95 %", () => {
  // From published tables.
  it.each([
    [1, 12.7062],
    [2, 4.3027],
    [10, 2.2281],
    [11, 2.201],
    [19, 2.093],
    [29, 2.0452],
    [60, 2.0003],
    [120, 1.9799],
    [100_000, 1.96],
  ])("with %i degrees of freedom is %f", (degrees, expected) => {
    expect(tQuantile95(degrees)).toBeCloseTo(expected, 4);
  });
});

describe("an estimate", () => {
  it("is mean ± t · s/√n: of 1, 2, 3 it is 2 ± 4.3027 · 1/√3", () => {
    expect(estimate([1, 2, 3])).toEqual({
      mean: 2,
      low: expect.closeTo(2 - 2.48414, 4),
      high: expect.closeTo(2 + 2.48414, 4),
      seeds: 3,
    });
  });

  it("has no interval with one value, and is none without any", () => {
    expect(estimate([7])).toEqual({ mean: 7, low: null, high: null, seeds: 1 });
    expect(estimate([null, null])).toBeNull();
  });

  it("leaves out what is not defined", () => {
    expect(estimate([null, 4, 4])).toEqual({ mean: 4, low: 4, high: 4, seeds: 2 });
  });
});

describe("a paired difference", () => {
  it("sees a small constant gain in values that vary much", () => {
    const before = [10, 200, 3000];
    const gain = pairedDifference(
      before.map((value) => value - 1),
      before,
    );
    expect(gain).toEqual({ mean: -1, low: -1, high: -1, seeds: 3 });
    expect(gain && sideOfZero(gain)).toBe(-1);
  });

  it("leaves out pairs of which one is not defined", () => {
    expect(pairedDifference([1, null, 5], [0, 2, null])).toMatchObject({ mean: 1, seeds: 1 });
  });

  it.each([
    [{ low: -1, high: 1 }, 0],
    [{ low: 0, high: 0 }, 0],
    [{ low: 0.1, high: 1 }, 1],
    [{ low: -1, high: -0.1 }, -1],
    [{ low: null, high: null }, 0],
  ] as const)("%o lies on side %i of zero", (interval, side) => {
    expect(sideOfZero({ mean: 0, seeds: 5, ...interval })).toBe(side);
  });
});
