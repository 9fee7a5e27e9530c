/** Solves a joint plan: a good one at once, a better one by exchanges, the best by search where the steps suffice. */
import { branchAndBound, type Found } from "./branch-and-bound.ts";
import { greedy, insertSomehow } from "./greedy.ts";
import { improve } from "./local-search.ts";
import { Packing } from "./packing.ts";
import { improveParts } from "./part-search.ts";
import { type Indexed, indexProblem, type JointPlan, type JointProblem } from "./problem.ts";
import { compareScores, reliefOf, type Score, scoreOf } from "./score.ts";
import { countSteps, type Steps } from "./steps.ts";

/** A tenth of a second or so. */
export const DEFAULT_STEPS = 300_000;

/**
 * The same plan for the same problem, in whatever order it is listed and on whatever machine. `mostSteps`: how much work is put into
 * it beyond a first plan.
 */
export function planJointly(problem: JointProblem, mostSteps = DEFAULT_STEPS): JointPlan {
  const indexed = indexProblem(problem);
  const steps = countSteps(mostSteps);
  const { packing, score, complete } = solve(indexed, steps);
  const chosen = packing.chosen();
  const relief = reliefOf(indexed, chosen);
  return {
    moves: chosen.map((index) => ({
      candidate: indexed.candidates[index]?.name ?? "",
      target: indexed.targetName(packing.targetOf(index) ?? -1),
    })),
    missingBytes: new Map(
      indexed.demands.map(({ name, bytes }, index) => [name, Math.max(0, bytes - (relief[index] ?? 0))]),
    ),
    cost: score.cost,
    exact: complete,
    steps: steps.taken(),
  };
}

const NOTHING: Score = { missing: [0], cost: 0, moves: 0 };

/** Each demand is solved by itself first: together these plans are a bound and, where they don't collide, the answer. */
function solve(problem: Indexed, steps: Steps): Found {
  const first = greedy(problem);
  if (problem.demands.length <= 1) return finish(problem, improve(problem, first, steps.share(0.5)), [NOTHING], steps);
  const part = 0.3 / problem.demands.length;
  const alone = problem.demands.map((_, demand) => solveAlone(problem, demand, steps.share(part)));
  const together = new Packing(problem);
  for (const index of alone.flatMap(({ chosen }) => chosen)) insertSomehow(together, index);
  const starts = [together, first].map((start) => improve(problem, start, steps.share(0.4)));
  const best = starts.reduce((a, b) =>
    compareScores(scoreOf(problem, b.chosen()), scoreOf(problem, a.chosen())) < 0 ? b : a,
  );
  const solo = alone.map(({ bound }) => bound);
  return finish(problem, improveParts(problem, best, solo, steps.share(0.7)), solo, steps);
}

function finish(problem: Indexed, start: Packing, solo: readonly Score[], steps: Steps): Found {
  const { packing, complete } = branchAndBound(problem, start, solo, steps);
  const best = improve(problem, packing, steps);
  return { packing: best, score: scoreOf(problem, best.chosen()), complete };
}

/** The demand's own best plan, and a bound of it: its score when that was proved, else nothing. */
function solveAlone(problem: Indexed, demand: number, steps: Steps): { chosen: number[]; bound: Score } {
  const own = problem.demands[demand];
  if (own === undefined) return { chosen: [], bound: NOTHING };
  const { first, end } = own;
  const part: Indexed = {
    ...problem,
    demands: [{ ...own, level: 0, first: 0, end: end - first }],
    candidates: problem.candidates.slice(first, end).map((candidate) => ({ ...candidate, demand: 0 })),
    levels: 1,
    targets: (candidate) => problem.targets(candidate + first),
  };
  const start = improve(part, greedy(part), steps.share(0.5));
  const { packing, score, complete } = branchAndBound(part, start, [NOTHING], steps);
  return { chosen: packing.chosen().map((index) => index + first), bound: complete ? score : NOTHING };
}
