/**
 * Makes a plan better by exchanging a few moves as long as that helps: one in, one for one, one for two, two for one, and, while relief
 * is missing, one away from another node to make room. What comes in may send another to a different target. The first exchange
 * that helps is taken, in a fixed order.
 */
import { dropRedundant } from "./greedy.ts";
import type { Packing } from "./packing.ts";
import type { Indexed } from "./problem.ts";
import { compareNumbers, reliefOf } from "./score.ts";
import type { Steps } from "./steps.ts";

interface Exchange {
  out: readonly number[];
  into: readonly number[];
}

/** Trying an exchange takes as long as judging so many. */
const STEPS_OF_A_TRIAL = 5;

type Neighbourhood = (state: State, demand: number) => Iterable<Exchange>;

interface State {
  problem: Indexed;
  packing: Packing;
  relief: Float64Array;
  steps: Steps;
  /** For the exchange being judged: bytes by demand, all 0 in between, and relief missing by level. */
  change: Float64Array;
  missing: Float64Array;
}

/** `start` is changed. */
export function improve(problem: Indexed, start: Packing, steps: Steps): Packing {
  const packing = dropRedundant(problem, start);
  const state: State = { problem, packing, relief: reliefOf(problem, packing.chosen()), steps, ...scratch(problem) };
  while (improveOnce(state));
  return state.packing;
}

function scratch({ demands, levels }: Indexed): Pick<State, "change" | "missing"> {
  return { change: new Float64Array(demands.length), missing: new Float64Array(levels) };
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
  if (!steps.take(STEPS_OF_A_TRIAL)) return false;
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

/** Whether the plan would be better, room left aside. Asked most often by far: nothing is allocated. */
function helps(state: State, { out, into }: Exchange): boolean {
  const { problem, missing } = state;
  missing.fill(0);
  let cost = 0;
  for (const index of out) cost -= enter(state, index, -1);
  for (const index of into) cost += enter(state, index, 1);
  for (const index of out) settle(state, index);
  for (const index of into) settle(state, index);
  for (let level = 0; level < problem.levels; level++) {
    const difference = compareNumbers(missing[level] ?? 0, 0);
    if (difference !== 0) return difference < 0;
  }
  const difference = compareNumbers(cost, 0);
  return difference < 0 || (difference === 0 && into.length < out.length);
}

/** Adds to its demand's change, and gives its cost. */
function enter({ problem, change }: State, index: number, sign: 1 | -1): number {
  const candidate = problem.candidates[index];
  if (candidate === undefined) return 0;
  change[candidate.demand] = (change[candidate.demand] ?? 0) + sign * candidate.bytes;
  return candidate.cost;
}

/** Turns its demand's change into relief missing, once. */
function settle({ problem, relief, change, missing }: State, index: number): void {
  const demand = problem.candidates[index]?.demand ?? 0;
  const bytes = change[demand] ?? 0;
  if (bytes === 0) return;
  change[demand] = 0;
  const { level = 0, bytes: needed = 0 } = problem.demands[demand] ?? {};
  const before = relief[demand] ?? 0;
  missing[level] = (missing[level] ?? 0) + Math.max(0, needed - before - bytes) - Math.max(0, needed - before);
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
