/** How much more a plan costs than the best one, over a family of drawn problems. */
import { planJointly } from "../../../src/planning/joint/solve.ts";
import { solveExactly } from "./exact-solver.ts";
import { type DrawnProblem, drawProblem, type Shape } from "./random-problem.ts";

export interface Regret {
  problems: number;
  /** Plans that miss more relief than need be. */
  missingMore: number;
  /** Of those that don't: cost beyond the optimum, as a part of it. */
  mean: number;
  worst: number;
  /** Plans that were proved to be the best. */
  proved: number;
}

/** The exact solver's rounding, in bytes. */
const NEGLIGIBLE_BYTES = 0.2 * 2 ** 20;

export function countRegret(shape: Shape, problems: number, steps?: number): Regret {
  const results = Array.from({ length: problems }, (_, seed) => compare(drawProblem(seed, shape), steps));
  const comparable = results.flatMap(({ regret }) => regret ?? []);
  return {
    problems,
    missingMore: results.length - comparable.length,
    mean: comparable.reduce((sum, one) => sum + one, 0) / Math.max(1, comparable.length),
    worst: Math.max(0, ...comparable),
    proved: results.filter(({ exact }) => exact).length,
  };
}

function compare(problem: DrawnProblem, steps?: number): { exact: boolean; regret: number | undefined } {
  const plan = planJointly(problem, steps);
  const best = solveExactly(problem);
  const missing = missingByLevel(problem, plan.missingBytes);
  const first = missing.findIndex((bytes, level) => Math.abs(bytes - (best.missing[level] ?? 0)) > NEGLIGIBLE_BYTES);
  if (first >= 0) return { exact: plan.exact, regret: undefined };
  return { exact: plan.exact, regret: best.cost > 0 ? Math.max(0, plan.cost / best.cost - 1) : 0 };
}

export function missingByLevel({ demands }: DrawnProblem, missingBytes: ReadonlyMap<string, number>): number[] {
  const levels = [...new Set(demands.map(({ urgency }) => urgency))].sort((a, b) => a - b);
  return levels.map((level) =>
    demands.reduce((sum, { name, urgency }) => sum + (urgency === level ? (missingBytes.get(name) ?? 0) : 0), 0),
  );
}
