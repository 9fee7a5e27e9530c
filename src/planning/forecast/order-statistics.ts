/** Order statistics without sorting everything (Hoare's quickselect, Communications of the ACM 4(7), 1961). Deterministic. */
import { at } from "./history.ts";

/** The `rank`-th smallest (from 0) of the first `length` values; rearranges them. No value may be NaN. */
export function selectRank(values: Float64Array, length: number, rank: number): number {
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const pivot = middleOfThree(at(values, low), at(values, (low + high) >> 1), at(values, high));
    let i = low;
    let j = high;
    while (i <= j) {
      while (at(values, i) < pivot) i++;
      while (at(values, j) > pivot) j--;
      if (i <= j) swap(values, i++, j--);
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else return pivot;
  }
  return at(values, rank);
}

/** The median of the first `length` values, at least one; of an even number the mean of the middle two. Rearranges them. */
export function medianOf(values: Float64Array, length: number): number {
  const upper = selectRank(values, length, length >> 1);
  if (length % 2 === 1) return upper;
  let lower = Number.NEGATIVE_INFINITY;
  // What lies before the selected rank is not larger than it.
  for (let index = 0; index < length >> 1; index++) lower = Math.max(lower, at(values, index));
  return lower + (upper - lower) / 2;
}

function middleOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

function swap(values: Float64Array, i: number, j: number): void {
  const held = at(values, i);
  values[i] = at(values, j);
  values[j] = held;
}
