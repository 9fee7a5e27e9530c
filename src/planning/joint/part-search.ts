/**
 * Makes a plan better by solving a part of it anew, the rest left as it is: one node, or two that share room (large neighbourhood search;
 * Shaw 1998). Finds what no exchange of a few moves does, where the whole is too big to be searched.
 */
import { branchAndBound } from "./branch-and-bound.ts";
import { improve } from "./local-search.ts";
import { Packing } from "./packing.ts";
import type { Indexed, IndexedCandidate, IndexedDemand } from "./problem.ts";
import { compareScores, type Score, scoreOf } from "./score.ts";
import type { Steps } from "./steps.ts";

/** Of what is left, for one part. */
const SHARE_OF_A_PART = 0.1;

/** A part of a problem, and which candidate of the whole each of its own is. */
interface Part {
  problem: Indexed;
  whole: readonly number[];
  /** Of its demands. */
  solo: readonly Score[];
}

/** `start` may be changed. `solo`: each demand's bound. Ends when no part can be made better, or for want of steps. */
export function improveParts(problem: Indexed, start: Packing, solo: readonly Score[], steps: Steps): Packing {
  let best = start;
  let unchanged = 0;
  const parts = [...partsOf(problem.demands.length)];
  for (let turn = 0; unchanged < parts.length && steps.take(); turn++) {
    const part = partOf(problem, best, parts[turn % parts.length] ?? [], solo);
    const better = solvePart(problem, best, part, steps.share(SHARE_OF_A_PART));
    unchanged = better === undefined ? unchanged + 1 : 0;
    if (better !== undefined) best = improve(problem, better, steps);
  }
  return best;
}

/** Pairs of demands, those next to each other in urgency first. */
function* partsOf(demands: number): Generator<number[]> {
  for (let apart = 1; apart < demands; apart++) {
    for (let first = 0; first + apart < demands; first++) yield [first, first + apart];
  }
}

function solvePart(problem: Indexed, packing: Packing, part: Part, steps: Steps): Packing | undefined {
  if (!steps.take(part.whole.length)) return undefined;
  const before = new Packing(part.problem);
  for (const [own, index] of part.whole.entries()) {
    const target = packing.targetOf(index);
    if (target !== undefined) before.place(own, target);
  }
  const { packing: found } = branchAndBound(part.problem, before, part.solo, steps);
  if (found === before) return undefined;
  const better = packing.copy();
  for (const index of part.whole) better.remove(index);
  for (const own of found.chosen()) better.place(part.whole[own] ?? -1, found.targetOf(own) ?? -1);
  return compareScores(scoreOf(problem, better.chosen()), scoreOf(problem, packing.chosen())) < 0 ? better : undefined;
}

/** What is placed of the other demands takes its room and its moves, and is not there otherwise. */
function partOf(problem: Indexed, packing: Packing, demands: readonly number[], bounds: readonly Score[]): Part {
  const whole: number[] = [];
  const candidates: IndexedCandidate[] = [];
  const own = demands.flatMap((demand, at): IndexedDemand[] => {
    const one = problem.demands[demand];
    if (one === undefined) return [];
    const first = whole.length;
    for (let index = one.first; index < one.end; index++) {
      const candidate = problem.candidates[index];
      if (candidate === undefined) continue;
      whole.push(index);
      candidates.push({ ...candidate, demand: at });
    }
    return [{ ...one, first, end: whole.length }];
  });
  const inside = new Set(whole);
  const others = packing.chosen().filter((index) => !inside.has(index));
  const solo = demands.flatMap((demand) => bounds[demand] ?? []);
  return { problem: beside(problem, packing, others, { demands: own, candidates, whole }), whole, solo };
}

function beside(
  problem: Indexed,
  packing: Packing,
  others: readonly number[],
  { demands, candidates, whole }: Pick<Indexed, "demands" | "candidates"> & { whole: readonly number[] },
): Indexed {
  const placed = others.flatMap((index) => problem.candidates[index] ?? []);
  const byTarget = Map.groupBy(others, (index) => packing.targetOf(index) ?? -1);
  const room = (target: number, roomClass: number): number[] => {
    const there = (byTarget.get(target) ?? []).flatMap((index) => problem.candidates[index] ?? []);
    return problem.room(target, roomClass).map((most, dimension) => {
      const rooms = there.map((one) => problem.room(target, one.roomClass)[dimension] ?? 0);
      return there.reduce((left, { takes }) => left - (takes[dimension] ?? 0), Math.min(most, ...rooms));
    });
  };
  return {
    ...problem,
    demands,
    candidates,
    mostMoves: problem.mostMoves - others.length,
    budgets: problem.budgets.map((most, budget) => most - placed.filter((one) => one.budgets.includes(budget)).length),
    targets: (candidate) => problem.targets(whole[candidate] ?? -1),
    room: remembered(room),
  };
}

function remembered(room: Indexed["room"]): Indexed["room"] {
  const known = new Map<number, (readonly number[] | undefined)[]>();
  return (target, roomClass) => {
    const ofTarget = known.get(target) ?? [];
    known.set(target, ofTarget);
    const found = ofTarget[roomClass] ?? room(target, roomClass);
    ofTarget[roomClass] = found;
    return found;
  };
}
