/**
 * Makes a plan better by exchanging a few moves as long as that helps: one in, one for one, one for two, two for one, and, while relief
 * is missing, one away from another node to make room. What comes in may send another to a different target. The first exchange
 * that helps is taken, in a fixed order.
 */
import { dropRedundant } from "./greedy.ts";
import type { Packing } from "./packing.ts";
import type { Indexed } from "./problem.ts";
import { compareScores, reliefOf, type Score } from "./score.ts";
import type { Steps } from "./steps.ts";

interface Exchange {
  out: readonly number[];
  into: readonly number[];
}

type Neighbourhood = (state: State, demand: number) => Iterable<Exchange>;

interface State {
  problem: Indexed;
  packing: Packing;
  relief: Float64Array;
  steps: Steps;
}

/** `start` is changed. */
export function improve(problem: Indexed, start: Packing, steps: Steps): Packing {
  const packing = dropRedundant(problem, start);
  const state: State = { problem, packing, relief: reliefOf(problem, packing.chosen()), steps };
  while (improveOnce(state));
  return state.packing;
}

/** The small neighbourhoods of every demand before the large ones of any. */
function improveOnce(state: State): boolean {
  return [oneIn, away, twoForOne].some((neighbourhood) => {
    let helped = false;
    for (const [demand] of state.problem.demands.entries())
      while (exchangeOne(state, neighbourhood, demand)) helped = true;
    return helped;
  });
}

function exchangeOne(state: State, neighbourhood: Neighbourhood, demand: number): boolean {
  for (const exchange of neighbourhood(state, demand)) {
    if (!state.steps.take()) return false;
    if (helps(state, exchange) && carryOut(state, exchange)) return true;
  }
  return false;
}

function carryOut(state: State, { out, into }: Exchange): boolean {
  const { problem, packing, steps } = state;
  const mark = packing.mark();
  for (const index of out) packing.remove(index);
  if (into.every((index) => packing.insert(index, steps))) {
    dropRedundant(problem, packing);
    state.relief = reliefOf(problem, packing.chosen());
    steps.take(packing.size);
    return true;
  }
  packing.undo(mark);
  return false;
}

/** Whether the plan would be better, room left aside. */
function helps({ problem, relief }: State, { out, into }: Exchange): boolean {
  const change = { missing: Array<number>(problem.levels).fill(0), cost: 0, moves: into.length - out.length };
  const by = new Map<number, number>();
  const enter = (index: number, sign: 1 | -1) => {
    const candidate = problem.candidates[index];
    if (candidate === undefined) return;
    by.set(candidate.demand, (by.get(candidate.demand) ?? 0) + sign * candidate.bytes);
    change.cost += sign * candidate.cost;
  };
  for (const index of out) enter(index, -1);
  for (const index of into) enter(index, 1);
  for (const [demand, bytes] of by) {
    const { level = 0, bytes: needed = 0 } = problem.demands[demand] ?? {};
    const before = relief[demand] ?? 0;
    const more = Math.max(0, needed - before - bytes) - Math.max(0, needed - before);
    change.missing[level] = (change.missing[level] ?? 0) + more;
  }
  const unchanged: Score = { missing: change.missing.map(() => 0), cost: 0, moves: 0 };
  return compareScores(change, unchanged) < 0;
}

function inside({ problem, packing }: State, demand: number): number[] {
  return members(problem, demand).filter((index) => packing.has(index));
}

function outside({ problem, packing }: State, demand: number): number[] {
  return members(problem, demand).filter((index) => !packing.has(index));
}

function members(problem: Indexed, demand: number): number[] {
  const { first = 0, end = 0 } = problem.demands[demand] ?? {};
  return Array.from({ length: end - first }, (_, at) => first + at);
}

/** One in, in place of none, one or two. */
function* oneIn(state: State, demand: number): Generator<Exchange> {
  const [own, others] = [inside(state, demand), outside(state, demand)];
  for (const other of others) yield { out: [], into: [other] };
  for (const one of own) for (const other of others) yield { out: [one], into: [other] };
  for (const out of pairs(own)) for (const other of others) yield { out, into: [other] };
}

/** Two for one: by far the most. */
function* twoForOne(state: State, demand: number): Generator<Exchange> {
  const [own, others] = [inside(state, demand), outside(state, demand)];
  for (const one of own) for (const into of pairs(others)) yield { out: [one], into };
}

/** One in for a demand that is short, in place of one of another's, which may take something else. */
function* away(state: State, demand: number): Generator<Exchange> {
  const { problem, relief } = state;
  if ((relief[demand] ?? 0) >= (problem.demands[demand]?.bytes ?? 0)) return;
  const others = outside(state, demand);
  for (const [index] of problem.demands.entries()) {
    if (index === demand) continue;
    const instead = outside(state, index);
    for (const one of inside(state, index)) {
      for (const other of others) {
        yield { out: [one], into: [other] };
        for (const third of instead) yield { out: [one], into: [other, third] };
      }
    }
  }
}

function* pairs(list: readonly number[]): Generator<[number, number]> {
  for (const [at, one] of list.entries()) for (const two of list.slice(at + 1)) yield [one, two];
}
