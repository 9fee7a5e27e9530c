/** The joint plan as a mixed-integer program, solved by HiGHS: one objective after the other, each kept by the next. */
import loadHighs from "highs";
import type { Score } from "../../../src/planning/joint/score.ts";
import type { DrawnProblem } from "./random-problem.ts";

// The types tell of the CommonJS build, whose default export is a member; that of the module is the loader itself.
const load = loadHighs as unknown as typeof loadHighs.default;
const highs = await load();

/** In units that keep the numbers small, for the solver's tolerances. */
const UNIT = 2 ** 20;
/** A choice may be a millionth off a whole number, which on a sum of pods comes to this, in units. */
const INTEGRALITY_SLACK = 0.2;

interface Term {
  factor: number;
  variable: string;
}

export function solveExactly(problem: DrawnProblem): Score {
  const levels = [...new Set(problem.demands.map(({ urgency }) => urgency))].sort((a, b) => a - b);
  const rows = [...constraints(problem)];
  const solve = (objective: readonly Term[]) => run(problem, objective, rows);
  const missing = levels.map((urgency) => {
    const terms = problem.demands.flatMap((demand, d) =>
      demand.urgency === urgency ? [{ factor: 1, variable: `u${d}` }] : [],
    );
    const least = solve(terms);
    rows.push(`${sum(terms)} <= ${least + INTEGRALITY_SLACK}`);
    return least * UNIT;
  });
  const costs = variables(problem).map(({ name, candidate }) => ({
    factor: problem.candidates[candidate]?.cost ?? 0,
    variable: name,
  }));
  const cost = solve(costs);
  rows.push(`${sum(costs)} <= ${cost * (1 + 1e-9) + 1e-6}`);
  const moves = Math.round(solve(costs.map(({ variable }) => ({ factor: 1, variable }))));
  return { missing, cost, moves };
}

/** One for each candidate and target that go together. */
function variables(problem: DrawnProblem) {
  return problem.candidates.flatMap((candidate, c) =>
    problem.targets.flatMap((target, t) =>
      problem.fits(candidate, target) ? [{ name: `x${c}_${t}`, candidate: c, target: t }] : [],
    ),
  );
}

function* constraints(problem: DrawnProblem): Generator<string> {
  const all = variables(problem);
  const one = ({ name }: { name: string }) => ({ factor: 1, variable: name });
  for (const [d, demand] of problem.demands.entries()) {
    const own = all.filter(({ candidate }) => problem.candidates[candidate]?.demand === demand.name);
    const relief = own.map(({ name, candidate }) => ({
      factor: (problem.candidates[candidate]?.bytes ?? 0) / UNIT,
      variable: name,
    }));
    yield `${sum([...relief, { factor: 1, variable: `u${d}` }])} >= ${demand.bytes / UNIT}`;
  }
  for (const [c] of problem.candidates.entries()) {
    const own = all.filter(({ candidate }) => candidate === c);
    if (own.length > 0) yield `${sum(own.map(one))} <= 1`;
  }
  for (const [b, most] of problem.budgets.entries()) {
    const own = all.filter(({ candidate }) => problem.candidates[candidate]?.budgets.includes(b));
    if (own.length > 0) yield `${sum(own.map(one))} <= ${most}`;
  }
  if (Number.isFinite(problem.mostMoves) && all.length > 0) yield `${sum(all.map(one))} <= ${problem.mostMoves}`;
  yield* rooms(problem, all);
}

/** A class's room binds where one of its candidates comes (y = 1). */
function* rooms(problem: DrawnProblem, all: ReturnType<typeof variables>): Generator<string> {
  for (const [t, target] of problem.targets.entries()) {
    const own = all.filter(({ target: at }) => at === t);
    for (const [roomClass, room] of target.rooms.entries()) {
      const comes = { factor: -1, variable: `y${t}_${roomClass}` };
      for (const { name, candidate } of own) {
        if (problem.candidates[candidate]?.roomClass === roomClass) {
          yield `${sum([{ factor: 1, variable: name }, comes])} <= 0`;
        }
      }
      for (const [dimension, amount] of room.entries()) {
        const unit = dimension === 2 ? 1 : UNIT;
        const load = own.map(({ name, candidate }) => ({
          factor: (problem.candidates[candidate]?.takes[dimension] ?? 0) / unit,
          variable: name,
        }));
        const most = load.reduce((total, { factor }) => total + factor, 0);
        const slack = { factor: most, variable: comes.variable };
        if (load.length > 0) yield `${sum([...load, slack])} <= ${amount / unit + most}`;
      }
    }
  }
}

const sum = (terms: readonly Term[]) =>
  terms.map(({ factor, variable }) => `${factor < 0 ? "-" : "+"} ${Math.abs(factor)} ${variable}`).join(" ");

function run(problem: DrawnProblem, objective: readonly Term[], rows: readonly string[]): number {
  const all = variables(problem).map(({ name }) => name);
  const classes = problem.targets.flatMap((target, t) => target.rooms.map((_, roomClass) => `y${t}_${roomClass}`));
  const text = [
    "Minimize",
    ` obj: ${objective.length > 0 ? sum(objective) : "0 u0"}`,
    "Subject To",
    ...rows.map((row, index) => ` r${index}: ${row}`),
    "Binary",
    ` ${[...all, ...classes].join(" ")}`,
    "End",
  ].join("\n");
  const solution = solveText(text);
  return solution.ObjectiveValue;
}

function solveText(text: string) {
  const solution = highs.solve(text, { mip_rel_gap: 0, mip_abs_gap: 0 });
  if (solution.Status !== "Optimal") throw new Error(`the exact solver says ${solution.Status}`);
  return solution;
}
