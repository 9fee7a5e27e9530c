/** How far the samples of a series usually lie apart. Seconds. */
import { at, type History } from "./history.ts";
import { medianOf } from "./order-statistics.ts";

/** Of the first `end` samples; 1 when there is only one. */
export function medianStepSeconds(history: History, end: number): number {
  if (end < 2) return 1;
  const steps = new Float64Array(end - 1);
  for (let index = 1; index < end; index++) {
    steps[index - 1] = at(history.seconds, index) - at(history.seconds, index - 1);
  }
  return medianOf(steps, steps.length);
}
