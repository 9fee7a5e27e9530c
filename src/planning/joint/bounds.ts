/** What the best completion of a partial plan can still come to: never worse than what it will be. */
import type { Packing } from "./packing.ts";
import type { Indexed, IndexedDemand } from "./problem.ts";
import { roomInAll } from "./room-in-all.ts";
import { compareNumbers, type Score } from "./score.ts";

/** A partial plan: candidates before `at` are decided, those of `demand` from `at` on and of later demands are not. */
export interface Partial {
  demand: number;
  at: number;
  packing: Packing;
  /** Of `demand`, so far. */
  reliefBytes: number;
  /** Relief missing by level, of the demands before. */
  missing: readonly number[];
  cost: number;
}

interface Sized {
  index: number;
  bytes: number;
}

/** Sums over a demand and those after it, were each alone. */
interface Later extends Score {
  /** Relief asked for, by level. */
  needed: readonly number[];
}

export class Bounds {
  /** Candidates looked at so far. */
  looked = 0;
  readonly #problem: Indexed;
  readonly #later: readonly Later[];
  readonly #roomLeft: (packing: Packing) => number;
  /** Of each demand and of each level, the biggest first. */
  readonly #ofDemand: readonly (readonly Sized[])[];
  readonly #ofLevel: readonly (readonly Sized[])[];
  /** Budgets in which every candidate of a demand counts. */
  readonly #common: readonly (readonly number[])[];

  /** `solo`: each demand's best plan if it were alone, or a bound of it. */
  constructor(problem: Indexed, solo: readonly Score[]) {
    this.#problem = problem;
    this.#later = sumFromEnd(problem, solo);
    this.#roomLeft = roomInAll(problem);
    this.#ofDemand = problem.demands.map(({ first, end }) => biggestFirst(sizes(problem, first, end)));
    this.#ofLevel = sizesByLevel(problem);
    this.#common = problem.demands.map((demand) => commonBudgets(problem, demand));
  }

  of(partial: Partial): Score {
    const { demand, at, packing, reliefBytes, missing, cost } = partial;
    const own = this.#problem.demands[demand];
    const rest = this.#later[demand + 1];
    if (own === undefined || rest === undefined) return { missing, cost, moves: packing.size };
    const needed = Math.max(0, own.bytes - reliefBytes);
    const reached = Math.min(needed, this.#most(this.#ofDemand[demand], at, this.#movesLeft(partial), needed));
    const alone = missing.map(
      (bytes, level) => bytes + (level === own.level ? needed - reached : 0) + (rest.missing[level] ?? 0),
    );
    const shared = this.#shared(partial, own, needed, rest);
    // When moves or room run short, who gets them is open, and with it what they cost.
    if (shared.some((bytes, level) => compareNumbers(bytes, alone[level] ?? 0) > 0)) {
      return { missing: alone.map((bytes, level) => Math.max(bytes, shared[level] ?? 0)), cost, moves: packing.size };
    }
    return {
      missing: alone,
      cost: cost + this.#fractionalCost(at, own.end, reached) + rest.cost,
      moves: packing.size + this.#fewestMoves(demand, at, reached) + rest.moves,
    };
  }

  /** Relief missing by level, by the moves and the room that are left for all together. */
  #shared({ at, packing, missing }: Partial, own: IndexedDemand, needed: number, rest: Later): number[] {
    const moves = this.#problem.mostMoves - packing.size;
    this.looked += packing.size;
    const room = this.#roomLeft(packing);
    return missing.map((bytes, level) => {
      const open = (level === own.level ? needed : 0) + (rest.needed[level] ?? 0);
      return bytes + Math.max(0, open - Math.min(room, this.#most(this.#ofLevel[level], at, moves, open)));
    });
  }

  #movesLeft({ demand, packing }: Partial): number {
    const inAll = this.#problem.mostMoves - packing.size;
    const budgets = this.#common[demand] ?? [];
    return budgets.reduce((least, budget) => Math.min(least, packing.movesLeftIn(budget)), inAll);
  }

  /** What so many undecided candidates bring, until it is `enough`. */
  #most(list: readonly Sized[] = [], at: number, moves: number, enough: number): number {
    let [left, sum] = [moves, 0];
    for (const { index, bytes } of list) {
      if (left < 1 || sum >= enough) break;
      this.looked += 1;
      if (index < at) continue;
      sum += bytes;
      left -= 1;
    }
    return sum;
  }

  /** Cost of so much relief, the last candidate taken in part (Dantzig 1957). */
  #fractionalCost(at: number, end: number, bytes: number): number {
    let [left, cost] = [bytes, 0];
    for (let index = at; index < end && left > 0; index++) {
      this.looked += 1;
      const candidate = this.#problem.candidates[index];
      if (candidate === undefined) break;
      cost += candidate.cost * Math.min(1, left / candidate.bytes);
      left -= candidate.bytes;
    }
    return cost;
  }

  #fewestMoves(demand: number, at: number, bytes: number): number {
    let [left, moves] = [bytes, 0];
    for (const candidate of this.#ofDemand[demand] ?? []) {
      if (!(left > 0)) break;
      this.looked += 1;
      if (candidate.index < at) continue;
      left -= candidate.bytes;
      moves += 1;
    }
    return moves;
  }
}

function sumFromEnd({ demands, levels }: Indexed, solo: readonly Score[]): Later[] {
  const nothing = Array<number>(levels).fill(0);
  let sum: Later = { missing: nothing, needed: nothing, cost: 0, moves: 0 };
  const sums = [sum];
  for (const [index, { level, bytes }] of [...demands.entries()].reverse()) {
    const { missing, cost, moves } = solo[index] ?? { missing: nothing, cost: 0, moves: 0 };
    sum = {
      missing: sum.missing.map((before, at) => before + (at === level ? (missing[0] ?? 0) : 0)),
      needed: sum.needed.map((before, at) => before + (at === level ? bytes : 0)),
      cost: sum.cost + cost,
      moves: sum.moves + moves,
    };
    sums.unshift(sum);
  }
  return sums;
}

function sizes({ candidates }: Indexed, first: number, end: number): Sized[] {
  return candidates.slice(first, end).map(({ bytes }, at) => ({ index: first + at, bytes }));
}

/** Each candidate counts for no more than its node needs. */
function sizesByLevel(problem: Indexed): Sized[][] {
  return Array.from({ length: problem.levels }, (_, level) =>
    biggestFirst(
      problem.demands
        .filter((demand) => demand.level === level)
        .flatMap(({ first, end, bytes: needed }) =>
          sizes(problem, first, end).map(({ index, bytes }) => ({ index, bytes: Math.min(bytes, needed) })),
        ),
    ),
  );
}

const biggestFirst = (list: Sized[]) => list.sort((a, b) => b.bytes - a.bytes || a.index - b.index);

function commonBudgets({ candidates, budgets }: Indexed, { first, end }: IndexedDemand): number[] {
  const own = candidates.slice(first, end);
  return budgets.flatMap((_, budget) => (own.every((one) => one.budgets.includes(budget)) ? [budget] : []));
}
