/** A first plan: the most urgent nodes first, by three simple rules, of which the best result counts. */
import { Packing } from "./packing.ts";
import type { Indexed } from "./problem.ts";
import { compareScores, reliefOf, scoreOf } from "./score.ts";
import { countSteps } from "./steps.ts";

/** A candidate's worth while its node misses so many bytes; the greatest is taken, the first among equals. */
type Rule = (candidate: { bytes: number; cost: number }, missingBytes: number) => number;

const cheapestForItsRelief: Rule = ({ bytes, cost }, missing) => -cost / Math.min(bytes, missing);
/** Among those that bring as much, the cheapest. */
const mostRelief: Rule = ({ bytes, cost }, missing) => Math.min(bytes, missing) + 1 / (1 + cost);
/** One that suffices, the cheapest of them; else the biggest. */
const oneThatSuffices: Rule = ({ bytes, cost }, missing) => (bytes >= missing ? 1 / (1 + cost) : bytes - missing - 1);

const RULES: readonly Rule[] = [cheapestForItsRelief, mostRelief, oneThatSuffices];

/** Work put into making room for one candidate. */
const STEPS_OF_ONE = 300;

export function greedy(problem: Indexed): Packing {
  const plans = RULES.map((rule) => byRule(problem, rule));
  const scored = plans.map((packing) => ({ packing, score: scoreOf(problem, packing.chosen()) }));
  const best = scored.reduce((first, other) => (compareScores(other.score, first.score) < 0 ? other : first));
  return best.packing;
}

function byRule(problem: Indexed, rule: Rule): Packing {
  const packing = new Packing(problem);
  const missing = Float64Array.from(problem.demands, ({ bytes }) => bytes);
  for (let level = 0; level < problem.levels; level++) coverLevel(problem, level, packing, rule, missing);
  return dropRedundant(problem, packing);
}

function coverLevel(problem: Indexed, level: number, packing: Packing, rule: Rule, missing: Float64Array): void {
  const ofLevel = ({ demand }: { demand: number }) => problem.demands[demand]?.level === level;
  const open = new Set(problem.candidates.flatMap((candidate, index) => (ofLevel(candidate) ? [index] : [])));
  while (packing.size < problem.mostMoves) {
    const next = worthMost(problem, open, rule, missing);
    if (next === undefined) return;
    open.delete(next);
    if (!insertSomehow(packing, next)) continue;
    const { demand = 0, bytes = 0 } = problem.candidates[next] ?? {};
    missing[demand] = (missing[demand] ?? 0) - bytes;
  }
}

/** Puts it where there is room, or where a little searching finds some. */
export function insertSomehow(packing: Packing, candidate: number): boolean {
  return packing.insert(candidate, countSteps(STEPS_OF_ONE));
}

function worthMost(problem: Indexed, open: Set<number>, rule: Rule, missing: Float64Array): number | undefined {
  let best: number | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const index of open) {
    const candidate = problem.candidates[index];
    const left = candidate === undefined ? 0 : (missing[candidate.demand] ?? 0);
    if (candidate === undefined || left <= 0) {
      open.delete(index);
      continue;
    }
    const worth = rule(candidate, left);
    if (best === undefined || worth > most) [best, most] = [index, worth];
  }
  return best;
}

/** Leaves out what is not needed, the most costly first. `packing` is changed. */
export function dropRedundant(problem: Indexed, packing: Packing): Packing {
  const relief = reliefOf(problem, packing.chosen());
  const cost = (index: number) => problem.candidates[index]?.cost ?? 0;
  for (const index of packing.chosen().sort((a, b) => cost(b) - cost(a) || b - a)) {
    const { demand = 0, bytes = 0 } = problem.candidates[index] ?? {};
    const without = (relief[demand] ?? 0) - bytes;
    if (without < (problem.demands[demand]?.bytes ?? 0)) continue;
    relief[demand] = without;
    packing.remove(index);
  }
  return packing;
}
