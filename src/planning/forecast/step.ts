/** How far the samples of a series usually lie apart. Seconds. */
import { at, type History } from "./history.ts";
import { medianOf } from "./order-statistics.ts";

// Scratch space, used anew each time; grows with the longest series.
let steps = new Float64Array(256);

/** Of the samples from `first` to `end`, exclusive; 1 when there is only one. */
export function medianStepSeconds({ timesMs }: History, first: number, end: number): number {
  const count = end - first - 1;
  if (count < 1) return 1;
  if (count > steps.length) steps = new Float64Array(2 * count);
  for (let index = 0; index < count; index++) {
    steps[index] = at(timesMs, first + index + 1) - at(timesMs, first + index);
  }
  return medianOf(steps, count) / 1000;
}
