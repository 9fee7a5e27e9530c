import { describe, expect, it } from "vitest";
import { assemble, type RunResult } from "../../../src/simulator/comparing/assemble.ts";
import type { Variant } from "../../../src/simulator/comparing/variants.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";

const variant = (name: string, role: Variant["role"]): Variant => ({
  name,
  role,
  policy: name,
  parameters: [],
  policies: [],
});
const VARIANTS = [
  variant("none", "None"),
  variant("clairvoyant", "Clairvoyant"),
  variant("a", "Policy"),
  variant("b", "Policy"),
];

const run = (kills: number, cost: number): RunResult => ({
  scores: { kills, cost },
  nodes: [{ node: "n", mean: kills / 10, peak: kills / 5 }],
});

function comparison(results: [number, (RunResult | undefined)[]][]) {
  return assemble({
    scenario: { name: "s", nodes: 1, pods: 1, endSeconds: 60, reserveFraction: 0.1 },
    conditions: DEFAULT_CONDITIONS,
    seedsAsked: 3,
    variants: VARIANTS,
    sweeps: [],
    results: new Map(results),
  });
}

const WHOLE: [number, RunResult[]][] = [
  [1, [run(4, 8), run(0, 1), run(2, 4), run(1, 3)]],
  [2, [run(2, 6), run(0, 2), run(0, 4), run(1, 2)]],
];

describe("a comparison", () => {
  it("gives every variant's mean, and its difference to no policy, seed by seed", () => {
    const kills = comparison(WHOLE).variants.find(({ name }) => name === "a")?.scores.kills;
    expect(kills).toMatchObject({ perSeed: [2, 0], estimate: { mean: 1, seeds: 2 } });
    expect(kills?.againstNone).toEqual({ mean: -2, low: -2, high: -2, seeds: 2 });
  });

  it("takes regret against the clairvoyant's cost with the same seed", () => {
    const regrets = comparison(WHOLE).variants.map(({ scores }) => scores.regret?.perSeed);
    expect(regrets).toEqual([
      [7, 4],
      [0, 0],
      [3, 2],
      [2, 0],
    ]);
  });

  it("sets policies against each other, each pair once", () => {
    const { differences } = comparison(WHOLE);
    expect(differences.map(({ variant, minus }) => [variant, minus])).toEqual([["b", "a"]]);
    expect(differences[0]?.scores.kills).toMatchObject({ mean: 0, seeds: 2 });
  });

  it("counts a seed only when every variant has completed it", () => {
    const partial = comparison([...WHOLE, [3, [run(9, 9), undefined, run(9, 9), run(9, 9)]]]);
    expect(partial).toMatchObject({ seeds: [1, 2], seedsAsked: 3 });
    expect(partial.variants[0]?.scores.kills?.perSeed).toEqual([4, 2]);
  });

  it("takes a node's mean over the seeds and the highest of its peaks", () => {
    expect(comparison(WHOLE).variants[0]?.nodes).toEqual([{ node: "n", mean: expect.closeTo(0.3, 12), peak: 0.8 }]);
  });

  it("has no score where a run has none", () => {
    expect(comparison(WHOLE).variants[0]?.scores.forecastCoverage).toEqual({
      perSeed: [null, null],
      estimate: null,
      againstNone: null,
    });
  });
});
