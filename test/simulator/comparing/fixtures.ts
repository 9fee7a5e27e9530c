import { assemble, type RunResult } from "../../../src/simulator/comparing/assemble.ts";
import type { Comparison } from "../../../src/simulator/comparing/comparison.ts";
import type { Variant } from "../../../src/simulator/comparing/variants.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";

export function variant(name: string, role: Variant["role"], parts: Partial<Variant> = {}): Variant {
  return { name, role, policy: name, parameters: [], policies: [], ...parts };
}

/** Each variant's scores, by seed from 1 on. */
export function comparisonOf(scores: readonly (readonly [Variant, readonly RunResult["scores"][]])[]): Comparison {
  const seeds = scores[0]?.[1].map((_, index) => index + 1) ?? [];
  return assemble({
    scenario: { name: "nightly", nodes: 10, pods: 200, endSeconds: 14_400, reserveFraction: 0.1 },
    conditions: DEFAULT_CONDITIONS,
    seedsAsked: seeds.length,
    variants: scores.map(([one]) => one),
    sweeps: [],
    results: new Map(
      seeds.map((seed, index) => [seed, scores.map(([, bySeed]) => ({ scores: bySeed[index] ?? {}, nodes: [] }))]),
    ),
  });
}
