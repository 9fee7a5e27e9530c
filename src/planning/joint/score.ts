/** How good a set of moves is. */
import type { Indexed } from "./problem.ts";

export interface Score {
  /** Relief missing, by level of urgency. */
  missing: readonly number[];
  cost: number;
  moves: number;
}

/** Costs are sums of fractions, whose last digits depend on how they were added up. */
const TOLERANCE = 1e-9;

/** Negative: a is less than b, by more than rounding can explain. */
export function compareNumbers(a: number, b: number): number {
  const difference = a - b;
  return Math.abs(difference) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b)) ? 0 : difference;
}

/** Negative: a is better. */
export function compareScores(a: Score, b: Score): number {
  for (let level = 0; level < a.missing.length; level++) {
    const difference = compareNumbers(a.missing[level] ?? 0, b.missing[level] ?? 0);
    if (difference !== 0) return difference;
  }
  return compareNumbers(a.cost, b.cost) || a.moves - b.moves;
}

/** What each demand is relieved of. */
export function reliefOf({ demands, candidates }: Indexed, chosen: Iterable<number>): Float64Array {
  const relief = new Float64Array(demands.length);
  for (const index of chosen) {
    const candidate = candidates[index];
    if (candidate !== undefined) relief[candidate.demand] = (relief[candidate.demand] ?? 0) + candidate.bytes;
  }
  return relief;
}

/** `chosen` in ascending order, for the sum of costs to be the same each time. */
export function scoreOf(problem: Indexed, chosen: readonly number[]): Score {
  const relief = reliefOf(problem, chosen);
  const missing = Array<number>(problem.levels).fill(0);
  problem.demands.forEach(({ level, bytes }, demand) => {
    missing[level] = (missing[level] ?? 0) + Math.max(0, bytes - (relief[demand] ?? 0));
  });
  const cost = chosen.reduce((sum, index) => sum + (problem.candidates[index]?.cost ?? 0), 0);
  return { missing, cost, moves: chosen.length };
}
