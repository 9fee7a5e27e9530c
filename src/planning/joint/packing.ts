/** Who goes where: chosen candidates within the room of their targets and within all budgets of moves. */
import type { Indexed, IndexedCandidate } from "./problem.ts";
import type { Steps } from "./steps.ts";

/** What was done, for it to be undone. */
interface Done {
  candidate: number;
  target: number;
  placed: boolean;
}

export class Packing {
  readonly #problem: Indexed;
  readonly #targetOf = new Map<number, number>();
  readonly #arrivals: (number[] | undefined)[] = [];
  readonly #counted: number[];
  #done: Done[] = [];

  constructor(problem: Indexed) {
    this.#problem = problem;
    this.#counted = problem.budgets.map(() => 0);
  }

  get size(): number {
    return this.#targetOf.size;
  }

  has(candidate: number): boolean {
    return this.#targetOf.has(candidate);
  }

  /** Ascending. */
  chosen(): number[] {
    return [...this.#targetOf.keys()].sort((a, b) => a - b);
  }

  targetOf(candidate: number): number | undefined {
    return this.#targetOf.get(candidate);
  }

  copy(): Packing {
    const copy = new Packing(this.#problem);
    for (const [candidate, target] of this.#targetOf) copy.place(candidate, target);
    return copy;
  }

  /** A point to go back to. */
  mark(): number {
    return this.#done.length;
  }

  undo(mark: number): void {
    for (const { candidate, target, placed } of this.#done.splice(mark).reverse()) {
      if (placed) this.#leave(candidate, target);
      else this.#enter(candidate, target);
    }
  }

  /** Moves that the candidate's budgets still admit. */
  movesLeft(candidate: number): number {
    let left = this.#problem.mostMoves - this.size;
    for (const budget of this.#candidate(candidate).budgets) left = Math.min(left, this.movesLeftIn(budget));
    return left;
  }

  movesLeftIn(budget: number): number {
    return (this.#problem.budgets[budget] ?? Number.POSITIVE_INFINITY) - (this.#counted[budget] ?? 0);
  }

  fits(candidate: number, target: number): boolean {
    return this.#fitsWithout(candidate, target, -1);
  }

  place(candidate: number, target: number): void {
    this.#enter(candidate, target);
    this.#done.push({ candidate, target, placed: true });
  }

  remove(candidate: number): void {
    const target = this.#targetOf.get(candidate);
    if (target === undefined) return;
    this.#leave(candidate, target);
    this.#done.push({ candidate, target, placed: false });
  }

  /**
   * Puts it on its first target with room or, within the steps, where one other makes room by going elsewhere; false and unchanged if
   * neither.
   */
  insert(candidate: number, steps: Steps): boolean {
    if (this.movesLeft(candidate) < 1) return false;
    const targets = this.#problem.targets(candidate);
    const canTry = steps.take(targets.length);
    const target = targets.find((one) => this.fits(candidate, one));
    if (target === undefined) return canTry && this.#insertByRelocation(candidate, steps);
    this.place(candidate, target);
    return true;
  }

  #insertByRelocation(candidate: number, steps: Steps): boolean {
    for (const target of this.#problem.targets(candidate)) {
      for (const other of this.#arrivals[target] ?? []) {
        if (!steps.take()) return false;
        if (!this.#fitsWithout(candidate, target, other)) continue;
        const ways = this.#problem.targets(other);
        if (!steps.take(ways.length)) return false;
        const elsewhere = ways.find((one) => one !== target && this.fits(other, one));
        if (elsewhere === undefined) continue;
        this.remove(other);
        this.place(other, elsewhere);
        this.place(candidate, target);
        return true;
      }
    }
    return false;
  }

  #candidate(index: number): IndexedCandidate {
    const found = this.#problem.candidates[index];
    if (found === undefined) throw new RangeError(`no candidate ${index}`);
    return found;
  }

  #enter(candidate: number, target: number): void {
    this.#targetOf.set(candidate, target);
    const arrivals = this.#arrivals[target] ?? [];
    arrivals.push(candidate);
    this.#arrivals[target] = arrivals;
    this.#count(candidate, 1);
  }

  #leave(candidate: number, target: number): void {
    this.#targetOf.delete(candidate);
    const arrivals = this.#arrivals[target] ?? [];
    arrivals.splice(arrivals.indexOf(candidate), 1);
    this.#count(candidate, -1);
  }

  #count(candidate: number, by: number): void {
    for (const budget of this.#candidate(candidate).budgets) this.#counted[budget] = (this.#counted[budget] ?? 0) + by;
  }

  /** As if `without` were not there. Sums are made anew each time, so that no rounding adds up. */
  #fitsWithout(candidate: number, target: number, without: number): boolean {
    const { takes, roomClass } = this.#candidate(candidate);
    const own = this.#problem.room(target, roomClass);
    const arrivals = this.#arrivals[target] ?? [];
    for (let dimension = 0; dimension < takes.length; dimension++) {
      let sum = takes[dimension] ?? 0;
      let room = own[dimension] ?? 0;
      for (const other of arrivals) {
        if (other === without) continue;
        const arrival = this.#candidate(other);
        sum += arrival.takes[dimension] ?? 0;
        if (arrival.roomClass === roomClass) continue;
        room = Math.min(room, this.#problem.room(target, arrival.roomClass)[dimension] ?? 0);
      }
      if (!(sum <= room)) return false;
    }
    return true;
  }
}

/**
 * Places all of them, trying every way if need be (depth first, those with the fewest targets first); undefined when there is none, or none
 * found within the steps.
 */
export function packAnew(problem: Indexed, chosen: readonly number[], steps: Steps): Packing | undefined {
  const size = (index: number) => problem.candidates[index]?.takes[0] ?? 0;
  const order = chosen.toSorted(
    (a, b) => problem.targets(a).length - problem.targets(b).length || size(b) - size(a) || a - b,
  );
  const packing = new Packing(problem);
  const place = (at: number): boolean => {
    const candidate = order[at];
    if (candidate === undefined) return true;
    if (packing.movesLeft(candidate) < 1) return false;
    for (const target of problem.targets(candidate)) {
      if (!steps.take()) return false;
      if (!packing.fits(candidate, target)) continue;
      packing.place(candidate, target);
      if (place(at + 1)) return true;
      packing.remove(candidate);
    }
    return false;
  };
  return place(0) ? packing : undefined;
}
