/**
 * Linear: a straight line through the recent past, by the median of the slopes of all pairs of samples (Theil–Sen).
 *
 * Good at: steady growth with noise, outliers and restarts of the measurement: up to 29 % of the samples may be nonsense.
 * Bad at: growth that has only just begun or ended: the median turns when half of the pairs do.
 * Source: Theil (1950), Sen (1968), Journal of the American Statistical Association 63; intercept as Conover, Practical
 * Nonparametric Statistics (1980), section 5.5: the median of what the slope leaves over.
 */
import { at, type History } from "./history.ts";
import type { ForecastModel, Past } from "./model.ts";
import { medianOf } from "./order-statistics.ts";

/** How far back it looks, in horizons, as long as that leaves {@link MIN_SAMPLES}. */
const LOOK_BACK_HORIZONS = 4;
const MIN_SAMPLES = 8;
/** More are thinned evenly: at most 780 pairs. */
const MAX_SAMPLES = 40;
/** Fewer say nothing about a trend. */
const FEWEST_FOR_A_SLOPE = 3;

export const linear: ForecastModel<"Linear"> = {
  name: "Linear",
  summary: "Memory grows along a straight line, robust against outliers: for steady growth.",
  fit(past) {
    const { history, end } = past;
    if (end < FEWEST_FOR_A_SLOPE) {
      const last = at(history.bytes, end - 1);
      return () => last;
    }
    const { seconds, bytes } = thinned(history, firstIndex(past), end);
    const slope = medianSlope(seconds, bytes);
    const intercept = medianIntercept(seconds, bytes, slope);
    return (atSeconds) => intercept + slope * atSeconds;
  },
};

function firstIndex({ history, end, horizonSeconds }: Past): number {
  const since = at(history.seconds, end - 1) - LOOK_BACK_HORIZONS * horizonSeconds;
  let first = end - 1;
  while (first > 0 && (at(history.seconds, first - 1) >= since || end - first < MIN_SAMPLES)) first--;
  return first;
}

/** At most {@link MAX_SAMPLES}, at even distances by index; the newest is always among them. */
function thinned(history: History, first: number, end: number): { seconds: Float64Array; bytes: Float64Array } {
  const count = end - first;
  if (count <= MAX_SAMPLES) {
    return { seconds: history.seconds.subarray(first, end), bytes: history.bytes.subarray(first, end) };
  }
  const seconds = new Float64Array(MAX_SAMPLES);
  const bytes = new Float64Array(MAX_SAMPLES);
  for (let index = 0; index < MAX_SAMPLES; index++) {
    const from = first + Math.round((index * (count - 1)) / (MAX_SAMPLES - 1));
    seconds[index] = at(history.seconds, from);
    bytes[index] = at(history.bytes, from);
  }
  return { seconds, bytes };
}

// Scratch space, used anew each time: a backtest fits many lines.
const SLOPES = new Float64Array((MAX_SAMPLES * (MAX_SAMPLES - 1)) / 2);
const REST = new Float64Array(MAX_SAMPLES);

function medianSlope(seconds: Float64Array, bytes: Float64Array): number {
  const count = seconds.length;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const time = at(seconds, i);
    const value = at(bytes, i);
    for (let j = i + 1; j < count; j++) SLOPES[length++] = (at(bytes, j) - value) / (at(seconds, j) - time);
  }
  return medianOf(SLOPES, length);
}

function medianIntercept(seconds: Float64Array, bytes: Float64Array, slope: number): number {
  for (let index = 0; index < bytes.length; index++) REST[index] = at(bytes, index) - slope * at(seconds, index);
  return medianOf(REST, bytes.length);
}
