/** The 0/1 knapsack, exact in pseudo-polynomial time (dynamic programming over weights; Martello & Toth 1990, section 2.6). */

export interface Item {
  /** Bytes; positive. */
  weight: number;
  /** Not negative. */
  value: number;
}

/** Steps of one solution at most: a few milliseconds. */
const MAX_STEPS = 10_000_000;
/** Capacity in units at most. */
const MAX_UNITS = 100_000;

/**
 * The unit of weight in bytes: the greatest common divisor of all weights and the capacity, so that nothing is rounded; if
 * that makes more steps than {@link MAX_STEPS}, the smallest unit that does not. Then the result is exact for weights rounded up to that unit. Each
 * item loses less than a unit by that: no set is better that fits into the capacity less one unit for each item.
 */
export function knapsackUnit(weights: readonly number[], capacity: number): number {
  const most = Math.max(1, Math.min(MAX_UNITS, Math.floor(MAX_STEPS / Math.max(1, weights.length))));
  const divisor = [...weights, capacity].reduce(greatestCommonDivisor, 0);
  return divisor > 0 && capacity / divisor <= most ? divisor : capacity / most;
}

/** 0 when either is not an integer: there is no common divisor worth having. */
function greatestCommonDivisor(a: number, b: number): number {
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return Number.NaN;
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/**
 * Indices, ascending, of the items of the greatest total value whose total weight is at most `capacity`. Of equally good
 * sets, the one whose items come first. Never exceeds the capacity: weights are rounded up to the unit.
 */
export function knapsack(items: readonly Item[], capacity: number): number[] {
  if (!(capacity > 0)) return [];
  const fitting = items.flatMap((item, index) => (item.weight <= capacity && item.value > 0 ? [index] : []));
  const chosen = fitting.map((index) => items[index]).filter((item) => item !== undefined);
  const unit = knapsackUnit(
    chosen.map((item) => item.weight),
    capacity,
  );
  // A billionth of a unit absorbs the noise of the division where the unit is not an integer.
  const units = Math.floor(capacity / unit + 1e-9);
  const weights = Int32Array.from(chosen, (item) => Math.ceil(item.weight / unit - 1e-9));
  return solve(chosen, weights, units).flatMap((position) => fitting[position] ?? []);
}

/** `best[w]`: the greatest value within weight w, of the items so far; `taken`: one bit for each item and weight. */
function solve(items: readonly Item[], weights: Int32Array, units: number): number[] {
  const best = new Float64Array(units + 1);
  const rowBytes = (units >> 3) + 1;
  const taken = new Uint8Array(rowBytes * items.length);
  items.forEach((item, index) => {
    takeWhereBetter(best, taken.subarray(index * rowBytes, (index + 1) * rowBytes), weights[index] ?? 0, item.value);
  });
  return readBack(taken, rowBytes, weights, units);
}

function takeWhereBetter(best: Float64Array, row: Uint8Array, weight: number, value: number): void {
  for (let w = best.length - 1; w >= weight; w--) {
    const withItem = (best[w - weight] ?? 0) + value;
    if (withItem > (best[w] ?? 0)) {
      best[w] = withItem;
      row[w >> 3] = (row[w >> 3] ?? 0) | (1 << (w & 7));
    }
  }
}

function readBack(taken: Uint8Array, rowBytes: number, weights: Int32Array, units: number): number[] {
  const chosen: number[] = [];
  let w = units;
  for (let index = weights.length - 1; index >= 0; index--) {
    const bits = taken[index * rowBytes + (w >> 3)] ?? 0;
    if ((bits & (1 << (w & 7))) === 0) continue;
    chosen.unshift(index);
    w -= weights[index] ?? 0;
  }
  return chosen;
}
