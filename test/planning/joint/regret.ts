/** How much more a plan costs than the best one, over a family of drawn problems. */
import type { Score } from "../../../src/planning/joint/score.ts";
import { planJointly } from "../../../src/planning/joint/solve.ts";
import { solveExactly } from "./exact-solver.ts";
import { type DrawnProblem, drawProblem, type Shape } from "./random-problem.ts";

export interface Regret {
  problems: number;
  /** Plans that miss more relief than need be. */
  missingMore: number;
  /** Relief missing beyond what need be, of all problems, as a part of all that was needed. */
  missingPart: number;
  /** Of those that don't: cost beyond the optimum, as a part of it. */
  mean: number;
  worst: number;
  /** Plans that were proved to be the best. */
  proved: number;
}

/** The exact solver's rounding, in bytes. */
const NEGLIGIBLE_BYTES = 0.2 * 2 ** 20;

/** One for each number of steps, over the same problems. */
export function countRegret(shape: Shape, problems: number, steps: readonly number[]): Regret[] {
  const judged = Array.from({ length: problems }, (_, seed) => {
    const problem = drawProblem(seed, shape);
    return { problem, best: solveExactly(problem) };
  });
  return steps.map((most) => sumUp(judged.map(({ problem, best }) => compare(problem, best, most))));
}

function sumUp(results: readonly Comparison[]): Regret {
  const comparable = results.flatMap(({ regret }) => regret ?? []);
  return {
    problems: results.length,
    missingMore: results.length - comparable.length,
    missingPart: results.reduce((sum, { missingPart }) => sum + missingPart, 0) / results.length,
    mean: comparable.reduce((sum, one) => sum + one, 0) / Math.max(1, comparable.length),
    worst: Math.max(0, ...comparable),
    proved: results.filter(({ exact }) => exact).length,
  };
}

interface Comparison {
  exact: boolean;
  /** Undefined: it misses more relief. */
  regret: number | undefined;
  missingPart: number;
}

function compare(problem: DrawnProblem, best: Score, steps: number): Comparison {
  const plan = planJointly(problem, steps);
  const missing = missingByLevel(problem, plan.missingBytes);
  const more = missing.map((bytes, level) => bytes - (best.missing[level] ?? 0));
  if (more.every((bytes) => Math.abs(bytes) <= NEGLIGIBLE_BYTES)) {
    const regret = best.cost > 0 ? Math.max(0, plan.cost / best.cost - 1) : 0;
    return { exact: plan.exact, regret, missingPart: 0 };
  }
  const needed = problem.demands.reduce((sum, { bytes }) => sum + bytes, 0);
  const moreInAll = more.reduce((sum, bytes) => sum + bytes, 0);
  return { exact: plan.exact, regret: undefined, missingPart: moreInAll / needed };
}

export function missingByLevel({ demands }: DrawnProblem, missingBytes: ReadonlyMap<string, number>): number[] {
  const levels = [...new Set(demands.map(({ urgency }) => urgency))].sort((a, b) => a - b);
  return levels.map((level) =>
    demands.reduce((sum, { name, urgency }) => sum + (urgency === level ? (missingBytes.get(name) ?? 0) : 0), 0),
  );
}
