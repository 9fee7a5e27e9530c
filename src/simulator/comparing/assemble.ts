/** Puts the results of single runs together: every variant over the seeds that all of them have completed. Pure. */
import { withRegret } from "../scores/regret.ts";
import { type RunScores, SCORE_DESCRIPTIONS } from "../scores/scores.ts";
import type {
  Comparison,
  Estimate,
  NodeUse,
  PairedDifference,
  ScoreResult,
  Sweep,
  VariantResult,
} from "./comparison.ts";
import { estimate, pairedDifference } from "./statistics.ts";
import type { Variant } from "./variants.ts";

/** What is kept of one run. */
export interface RunResult {
  scores: RunScores;
  /** Of one run: its mean and peak. */
  nodes: NodeUse[];
}

export interface Completed {
  scenario: Comparison["scenario"];
  conditions: Comparison["conditions"];
  seedsAsked: number;
  variants: readonly Variant[];
  sweeps: Sweep[];
  /** By seed, in order; of each variant in order; undefined: not completed. */
  results: ReadonlyMap<number, readonly (RunResult | undefined)[]>;
}

/** More policies than this are not all set against each other. */
const MAX_COMPARED = 12;

export function assemble({ scenario, conditions, seedsAsked, variants, sweeps, results }: Completed): Comparison {
  const whole = [...results].flatMap(([seed, ofSeed]) => {
    const known = ofSeed.filter((result) => result !== undefined);
    return known.length === variants.length ? [{ seed, runs: referred(known, variants) }] : [];
  });
  const columns = variants.map((variant, index) => ({
    variant,
    runs: whole.flatMap(({ runs }) => runs[index] ?? []),
  }));
  const none = columns.find(({ variant }) => variant.role === "None");
  const compared = columns.map(({ variant, runs }) => variantResult(variant, runs, none?.runs ?? []));
  return {
    kind: "SimulationComparison",
    version: 1,
    scenario,
    conditions,
    seeds: whole.map(({ seed }) => seed),
    seedsAsked,
    scores: [...SCORE_DESCRIPTIONS],
    variants: compared,
    differences: differences(compared),
    sweeps,
  };
}

/** Regret needs the reference's run of the same seed. */
function referred(runs: readonly RunResult[], variants: readonly Variant[]): RunResult[] {
  const reference = runs[variants.findIndex(({ role }) => role === "Clairvoyant")];
  return runs.map((run) => ({ ...run, scores: withRegret(run.scores, reference?.scores ?? {}) }));
}

function variantResult(variant: Variant, runs: readonly RunResult[], none: readonly RunResult[]): VariantResult {
  const { name, role, policy, parameters } = variant;
  const scores = SCORE_DESCRIPTIONS.map((score): [string, ScoreResult] => {
    const perSeed = valuesOf(runs, score.name);
    const againstNone = role === "None" ? null : pairedDifference(perSeed, valuesOf(none, score.name));
    return [score.name, { perSeed, estimate: estimate(perSeed), againstNone }];
  });
  return { name, role, policy, parameters, scores: Object.fromEntries(scores), nodes: nodeUses(runs) };
}

const valuesOf = (runs: readonly RunResult[], score: string) => runs.map((run) => run.scores[score] ?? null);

function nodeUses(runs: readonly RunResult[]): NodeUse[] {
  return (runs[0]?.nodes ?? []).map(({ node }, index) => {
    const uses = runs.flatMap((run) => run.nodes[index] ?? []);
    return {
      node,
      mean: uses.reduce((sum, use) => sum + use.mean, 0) / uses.length,
      peak: uses.reduce((most, use) => Math.max(most, use.peak), 0),
    };
  });
}

/** Each pair of policies once: the later minus the earlier. */
function differences(variants: readonly VariantResult[]): PairedDifference[] {
  const policies = variants.filter(({ role }) => role === "Policy");
  if (policies.length > MAX_COMPARED) return [];
  return policies.flatMap((minus, index) => policies.slice(index + 1).map((variant) => between(variant, minus)));
}

/** One variant minus another, seed by seed: of any two variants of one comparison. */
export function between(variant: VariantResult, minus: VariantResult): PairedDifference {
  const scores = Object.entries(variant.scores).map(([name, { perSeed }]): [string, Estimate | null] => [
    name,
    pairedDifference(perSeed, minus.scores[name]?.perSeed ?? []),
  ]);
  return { variant: variant.name, minus: minus.name, scores: Object.fromEntries(scores) };
}
