import { describe, expect, it } from "vitest";
import { parseSeeds, SCORE_SEEDS, STUDY_SEEDS, TUNING_SEEDS } from "../../../src/simulator/comparing/seeds.ts";

describe("seeds", () => {
  it.each([
    ["1", [1]],
    ["3", [1, 2, 3]],
    ["20001..20003", [20001, 20002, 20003]],
    ["7..7", [7]],
  ])("%s means %j", (text, seeds) => {
    expect(parseSeeds(text)).toEqual(seeds);
  });

  it.each(["0", "", "-3", "1.5", "3..1", "1..2..3", "a", "1..", "0..10000", "4294967296"])(
    "%j is not understood",
    (text) => {
      expect(parseSeeds(text)).toBeUndefined();
    },
  );

  it("for tuning, for the kept scores and for the study have none in common", () => {
    const ranges = [TUNING_SEEDS, SCORE_SEEDS, STUDY_SEEDS];
    for (const [index, { to }] of ranges.entries())
      expect(ranges[index + 1]?.from ?? Number.POSITIVE_INFINITY).toBeGreaterThan(to);
  });
});
