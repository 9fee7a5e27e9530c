/** What the best completion of a partial plan can still come to: never worse than what it will be. */
import type { Packing } from "./packing.ts";
import type { Indexed } from "./problem.ts";
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

export interface Bounds {
  of(partial: Partial): Score;
  /** Candidates looked at so far. */
  looked(): number;
}

/** `solo`: each demand's best plan if it were alone, or a bound of it. */
export function boundsFor(problem: Indexed, solo: readonly Score[]): Bounds {
  const later = sumFromEnd(problem, solo);
  const bySize = sizesByLevel(problem);
  const common = problem.demands.map(({ first, end }) => commonBudgets(problem, first, end));
  const members = problem.demands.map(({ first, end }) => biggestFirst(problem, first, end));
  let looked = 0;

  /** Most relief that `moves` more of the demand's undecided candidates bring, at most `most`. */
  function potential(demand: number, at: number, moves: number, most: number): number {
    let [left, sum] = [moves, 0];
    for (const index of members[demand] ?? []) {
      if (left < 1 || sum >= most) break;
      looked += 1;
      if (index < at) continue;
      sum += problem.candidates[index]?.bytes ?? 0;
      left -= 1;
    }
    return Math.min(sum, most);
  }

  /** The same over a whole level: each candidate counts for no more than its node needs. */
  function potentialOfLevel(level: number, at: number, moves: number): number {
    let [left, sum] = [moves, 0];
    for (const { index, bytes } of bySize[level] ?? []) {
      if (left < 1) break;
      looked += 1;
      if (index < at) continue;
      sum += bytes;
      left -= 1;
    }
    return sum;
  }

  /** Cost of so much relief, the last candidate taken in part (Dantzig 1957). */
  function fractional(at: number, end: number, bytes: number): number {
    let [left, cost] = [bytes, 0];
    for (let index = at; index < end && left > 0; index++) {
      looked += 1;
      const candidate = problem.candidates[index];
      if (candidate === undefined) break;
      cost += candidate.cost * Math.min(1, left / candidate.bytes);
      left -= candidate.bytes;
    }
    return cost;
  }

  function fewestMoves(demand: number, at: number, bytes: number): number {
    let [left, moves] = [bytes, 0];
    for (const index of members[demand] ?? []) {
      if (!(left > 0)) break;
      looked += 1;
      if (index < at) continue;
      left -= problem.candidates[index]?.bytes ?? 0;
      moves += 1;
    }
    return moves;
  }

  return {
    looked: () => looked,
    of({ demand, at, packing, reliefBytes, missing, cost }) {
      const own = problem.demands[demand];
      const rest = later[demand + 1];
      if (own === undefined || rest === undefined) return { missing, cost, moves: packing.size };
      const left = (common[demand] ?? []).reduce(
        (least, budget) => Math.min(least, packing.movesLeftIn(budget)),
        problem.mostMoves - packing.size,
      );
      const needed = Math.max(0, own.bytes - reliefBytes);
      const reached = potential(demand, at, left, needed);
      const alone = missing.map(
        (bytes, level) => bytes + (level === own.level ? needed - reached : 0) + (rest.missing[level] ?? 0),
      );
      const movesLeft = problem.mostMoves - packing.size;
      const shared = missing.map((bytes, level) => {
        const open = bytes + (level === own.level ? needed : 0) + (rest.needed[level] ?? 0);
        return open - potentialOfLevel(level, at, movesLeft);
      });
      // When moves run short, who gets them is open, and with it what they cost.
      if (shared.some((bytes, level) => compareNumbers(bytes, alone[level] ?? 0) > 0)) {
        const foreseen = alone.map((bytes, level) => Math.max(bytes, shared[level] ?? 0));
        return { missing: foreseen, cost, moves: packing.size };
      }
      return {
        missing: alone,
        cost: cost + fractional(at, own.end, reached) + rest.cost,
        moves: packing.size + fewestMoves(demand, at, reached) + rest.moves,
      };
    },
  };
}

/** Sums over a demand and those after it. */
function sumFromEnd(problem: Indexed, solo: readonly Score[]) {
  const nothing = Array<number>(problem.levels).fill(0);
  let sum = { missing: nothing, needed: nothing, cost: 0, moves: 0 };
  const sums = [sum];
  for (const [index, { level, bytes }] of [...problem.demands.entries()].reverse()) {
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

function biggestFirst({ candidates }: Indexed, first: number, end: number): number[] {
  const size = (index: number) => candidates[index]?.bytes ?? 0;
  return Array.from({ length: end - first }, (_, at) => first + at).sort((a, b) => size(b) - size(a) || a - b);
}

function sizesByLevel(problem: Indexed): { index: number; bytes: number }[][] {
  const sizes = Array.from({ length: problem.levels }, (): { index: number; bytes: number }[] => []);
  problem.candidates.forEach(({ demand, bytes }, index) => {
    const { level = 0, bytes: needed = 0 } = problem.demands[demand] ?? {};
    sizes[level]?.push({ index, bytes: Math.min(bytes, needed) });
  });
  return sizes.map((list) => list.sort((a, b) => b.bytes - a.bytes || a.index - b.index));
}

/** Budgets in which every candidate of the demand counts. */
function commonBudgets({ candidates, budgets }: Indexed, first: number, end: number): number[] {
  const own = candidates.slice(first, end);
  return budgets.flatMap((_, budget) => (own.every((one) => one.budgets.includes(budget)) ? [budget] : []));
}
