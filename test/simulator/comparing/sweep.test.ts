import { describe, expect, it } from "vitest";
import { combinations, readSweep, withOption } from "../../../src/simulator/comparing/sweep.ts";

function valuesOf(text: string): string[] | string {
  const read = readSweep(text);
  return read.ok ? read.value.values : read.message;
}

describe("a sweep", () => {
  it.each<[string, string[]]>([
    ["pressure.freeBelow=5%..20%/5%", ["5%", "10%", "15%", "20%"]],
    ["pressure.freeBelow=5%..19%/5%", ["5%", "10%", "15%"]],
    ["pressure.forecast.confidence=0.1..0.3/0.1", ["0.1", "0.2", "0.3"]],
    ["pacing.blocking.pause=0s..60s/30s", ["0s", "30s", "60s"]],
    ["eligibility.minMemory=1Gi..2Gi/0.5Gi", ["1Gi", "1.5Gi", "2Gi"]],
    ["pacing.maxMovesPerEvaluation=1..3/1", ["1", "2", "3"]],
    ["selection.strategy=Max, Cheapest", ["Max", "Cheapest"]],
    ["pressure.freeBelow=20%", ["20%"]],
    ["pressure.freeBelow=20%..20%/5%", ["20%"]],
  ])("%s has the values %j", (text, values) => {
    expect(valuesOf(text)).toEqual(values);
  });

  it("may be of one policy, and may name spec", () => {
    expect(readSweep("batch:spec.pressure.freeBelow=20%")).toMatchObject({
      ok: true,
      value: { policy: "batch", path: "pressure.freeBelow" },
    });
  });

  it.each([
    ["pressure.freeBelow", "expected [POLICY:]PATH=FROM..TO/STEP"],
    ["=5%", "expected [POLICY:]PATH"],
    ["a.__proto__.b=1", "expected [POLICY:]PATH"],
    ["a..b=1", "expected [POLICY:]PATH"],
    ["a=5%..40%", "expected FROM..TO/STEP"],
    ["a=5%..40/5%", "in the same unit"],
    ["a=40%..5%/5%", "TO not below FROM"],
    ["a=5%..40%/0%", "STEP above 0"],
    ["a=0..1000/1", "at most 200 values, these are 1001"],
    ["a=1,,2", "single commas"],
    ["a=1,1", "different values"],
  ])("%s is refused, saying what was expected", (text, message) => {
    expect(valuesOf(text)).toContain(message);
    expect(valuesOf(text)).toContain(`--sweep ${text}: `);
  });

  it("sets a number as a number and all else as text, in a copy, making what is on the way", () => {
    const written = { spec: { pressure: { strategy: "Slope" } } };
    expect(withOption(written, "pressure.slope.ahead", "5m")).toEqual({
      spec: { pressure: { strategy: "Slope", slope: { ahead: "5m" } } },
    });
    expect(withOption(written, "pressure.forecast.confidence", "0.9")).toHaveProperty(
      "spec.pressure.forecast.confidence",
      0.9,
    );
    expect(written).toEqual({ spec: { pressure: { strategy: "Slope" } } });
  });

  it("is combined with every other: the last one's values lie next to each other", () => {
    expect(
      combinations([
        ["a", "b"],
        ["1", "2"],
      ]),
    ).toEqual([
      ["a", "1"],
      ["a", "2"],
      ["b", "1"],
      ["b", "2"],
    ]);
    expect(combinations([])).toEqual([[]]);
  });
});
