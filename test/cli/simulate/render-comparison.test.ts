import { Chalk } from "chalk";
import { describe, expect, it } from "vitest";
import { figure, renderComparison } from "../../../src/cli/simulate/render-comparison.ts";
import { comparisonOf, variant } from "../../simulator/comparing/fixtures.ts";

const plain = new Chalk({ level: 0 });
const COMPARISON = comparisonOf([
  [
    variant("none", "None"),
    [
      { kills: 10, gibMoved: 0 },
      { kills: 12, gibMoved: 0 },
    ],
  ],
  [
    variant("clairvoyant", "Clairvoyant"),
    [
      { kills: 0, gibMoved: 9 },
      { kills: 1, gibMoved: 9 },
    ],
  ],
  [
    variant("batch", "Policy"),
    [
      { kills: 5, gibMoved: 20 },
      { kills: 7, gibMoved: 20 },
    ],
  ],
]);

describe("a comparison on a terminal", () => {
  const text = renderComparison(COMPARISON, plain);

  it("says what was simulated", () => {
    expect(text).toContain("nightly: 200 pods on 10 nodes over 4 h, 2 seeds");
  });

  it("shows every variant's means with their intervals: 6 ± 12.7 for 5 and 7", () => {
    expect(text).toMatch(/^batch +6 ±12\.7 /m);
  });

  it("calls a difference better or worse only when its interval excludes zero", () => {
    expect(text).toMatch(/^batch − none +-5 \[-5, -5\] better .*\+20 \[20, 20\] worse/m);
    expect(text).toMatch(/^clairvoyant − none +-10\.5 \[-16\.9, -4\.15\] better/m);
  });

  it("ends no line in blanks, and has no colour where there is none", () => {
    expect(text).not.toMatch(/ $/m);
    expect(text).not.toContain("\u001b");
    expect(renderComparison(COMPARISON, new Chalk({ level: 1 }))).toContain("\u001b[32m");
  });

  it("shows the pods that never started where there are any, and no column of zeros", () => {
    const withPods = (podsNeverStarted: number) =>
      renderComparison(comparisonOf([[variant("none", "None"), [{ kills: 10, podsNeverStarted }]]]), plain);
    expect(withPods(0)).not.toContain("NEVER STARTED");
    expect(withPods(3)).toMatch(/^VARIANT .*NEVER STARTED/m);
    expect(withPods(3)).toMatch(/^none +10 .* 3 /m);
  });

  it("says how many seeds are whole when it was interrupted, and what a single seed lacks", () => {
    expect(renderComparison({ ...COMPARISON, seedsAsked: 30 }, plain)).toContain("2 of 30 seeds");
    const single = comparisonOf([[variant("none", "None"), [{ kills: 10 }]]]);
    expect(renderComparison(single, plain)).toContain("One seed has no intervals");
  });
});

it.each([
  [0, "0"],
  [1234, "1234"],
  [1234.56, "1230"],
  [12.345, "12.3"],
  [0.012345, "0.0123"],
  [-0.00000001, "0"],
])("a figure of %f is written %s", (value, text) => {
  expect(figure(value)).toBe(text);
});
