/**
 * Looks for a better plan by trying every choice that could be one, cheapest relief first (depth first; Horowitz & Sahni's order,
 * Martello & Toth, Knapsack Problems, 1990, section 2.5), leaving out what cannot beat the best known.
 */
import { Bounds, type Partial } from "./bounds.ts";
import { Packing, packAnew } from "./packing.ts";
import type { Indexed } from "./problem.ts";
import { compareScores, type Score, scoreOf } from "./score.ts";
import type { Steps } from "./steps.ts";

export interface Found {
  packing: Packing;
  score: Score;
  /** Nothing was left untried for want of steps. */
  complete: boolean;
}

export function branchAndBound(problem: Indexed, start: Packing, solo: readonly Score[], steps: Steps): Found {
  const search = new Search(problem, start, new Bounds(problem, solo), steps);
  const none = Array<number>(problem.levels).fill(0);
  search.visit({ demand: 0, at: 0, packing: new Packing(problem), reliefBytes: 0, missing: none, cost: 0 });
  return search.found;
}

class Search {
  readonly found: Found;
  readonly #problem: Indexed;
  readonly #bounds: Bounds;
  readonly #steps: Steps;
  #paidFor = 0;

  constructor(problem: Indexed, start: Packing, bounds: Bounds, steps: Steps) {
    this.#problem = problem;
    this.#bounds = bounds;
    this.#steps = steps;
    this.found = { packing: start, score: scoreOf(problem, start.chosen()), complete: true };
  }

  visit(partial: Partial): void {
    if (!this.found.complete) return;
    const here = this.#skipDone(partial);
    const bound = this.#bounds.of(here);
    if (!this.#pay(1)) return;
    if (compareScores(bound, this.found.score) >= 0) return;
    const demand = this.#problem.demands[here.demand];
    if (demand === undefined) return;
    this.#visitWith(here);
    this.visit({ ...here, at: here.at + 1 });
  }

  /** Goes on to the next demand that is short and has candidates left. */
  #skipDone(partial: Partial): Partial {
    let { demand, at, reliefBytes, missing, ...rest } = partial;
    for (;;) {
      const own = this.#problem.demands[demand];
      if (own === undefined || (at < own.end && reliefBytes < own.bytes)) {
        return { demand, at, reliefBytes, missing, ...rest };
      }
      const short = Math.max(0, own.bytes - reliefBytes);
      missing = missing.map((bytes, level) => bytes + (level === own.level ? short : 0));
      demand += 1;
      at = own.end;
      reliefBytes = 0;
    }
  }

  #visitWith(here: Partial): void {
    const candidate = this.#problem.candidates[here.at];
    const mark = here.packing.mark();
    if (candidate !== undefined && this.#add(here.packing, here.at)) {
      const score = scoreOf(this.#problem, here.packing.chosen());
      if (compareScores(score, this.found.score) < 0)
        Object.assign(this.found, { packing: here.packing.copy(), score });
      const reliefBytes = here.reliefBytes + candidate.bytes;
      this.visit({ ...here, at: here.at + 1, reliefBytes, cost: here.cost + candidate.cost });
    }
    here.packing.undo(mark);
  }

  #add(packing: Packing, candidate: number): boolean {
    if (packing.movesLeft(candidate) < 1 || !this.#pay(packing.size)) return false;
    if (packing.insert(candidate, this.#steps)) return true;
    const chosen = [...packing.chosen(), candidate];
    const anew = packAnew(this.#problem, chosen, this.#steps);
    if (anew === undefined || !this.#pay(0)) return false;
    for (const index of packing.chosen()) packing.remove(index);
    for (const index of chosen) packing.place(index, anew.targetOf(index) ?? -1);
    return true;
  }

  #pay(steps: number): boolean {
    const looked = this.#bounds.looked;
    const paid = this.#steps.take(steps + looked - this.#paidFor);
    this.#paidFor = looked;
    if (!paid) this.found.complete = false;
    return paid;
  }
}
