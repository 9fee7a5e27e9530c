/**
 * A bound from two passes over the raw samples, above that of ./safe-bound.ts and much cruder: enough for the many series that are far from
 * any limit. Infinite where it cannot be told so simply: few samples, gaps, out of order, implausible ones.
 *
 * Why it holds: no error exceeds the highest sample less what the lowest could have fallen to; the margin is at most that, grown for a
 * single independent error and in proportion to the lead; and the prior counts at least the errors counted here.
 */
import type { Series } from "../snapshot.ts";
import { LATEST_TARGET, MAX_ORIGINS, SUSTAINED_PART } from "./backtest.ts";
import { at } from "./history.ts";
import { growthForFew, priorBytes } from "./margin.ts";

const FEWEST_SAMPLES = 12;
/** Gaps of more than this part of the calibrated lead need the other bound. */
const GAP_PART = 1 / 4;
const CLOCK_SKEW_MS = 10_000;
const LONGEST_MS = 366 * 86_400_000;

export interface GlanceOptions {
  nowMs: number;
  horizonSeconds: number;
  confidence: number;
  /** Samples before this are left out. */
  fromMs?: number | undefined;
}

/** Bytes that the series' bound does not exceed up to the horizon, whatever the model and the calibration. */
export function boundAtAGlance({ timesMs, bytes }: Series, options: GlanceOptions): number {
  const { nowMs, horizonSeconds, confidence, fromMs = Number.NEGATIVE_INFINITY } = options;
  const end = Math.min(timesMs.length, bytes.length);
  let begin = 0;
  while (begin < end && at(timesMs, begin) < fromMs) begin++;
  if (end - begin < FEWEST_SAMPLES) return Number.POSITIVE_INFINITY;
  const [oldestMs, newestMs] = [at(timesMs, begin), at(timesMs, end - 1)];
  if (newestMs > nowMs + CLOCK_SKEW_MS || oldestMs < nowMs - LONGEST_MS) return Number.POSITIVE_INFINITY;
  const longestMs = Math.min(horizonSeconds * 1000, (newestMs - oldestMs) / 2);
  const sustainedMs = longestMs * SUSTAINED_PART;
  let [highest, lowest, rise, fall, from, known, first] = [0, at(bytes, begin), 0, 0, begin, 0, begin + 2];
  for (let index = begin; index < end; index++) {
    const [timeMs, value] = [at(timesMs, index), at(bytes, index)];
    const gapMs = index > begin ? timeMs - at(timesMs, index - 1) : 1;
    if (!(value >= 0 && value < Number.MAX_SAFE_INTEGER && gapMs >= 1 && gapMs <= longestMs * GAP_PART)) {
      return Number.POSITIVE_INFINITY;
    }
    highest = Math.max(highest, value);
    lowest = Math.min(lowest, value);
    while (from + 1 < index && at(timesMs, from + 1) <= timeMs - sustainedMs) from++;
    if (from < index && at(timesMs, from) <= timeMs - sustainedMs) {
      const rate = (value - at(bytes, from)) / (timeMs - at(timesMs, from));
      rise = Math.max(rise, rate);
      fall = Math.max(fall, -rate);
    }
    if (index === first && timeMs - oldestMs < sustainedMs) first++;
    else if (index >= first && timeMs <= newestMs - longestMs) known++;
  }
  const lastBytes = at(bytes, end - 1);
  const leadMs = horizonSeconds * 1000 - Math.min(0, newestMs - nowMs);
  const error = highest - Math.max(0, lowest - fall * LATEST_TARGET * longestMs);
  const stride = Math.max(1, Math.ceil((end - begin - 1 - (first - begin)) / MAX_ORIGINS));
  const prior = priorBytes(Math.floor(known / stride), { confidence, lastBytes });
  return highest + rise * leadMs + error * growthForFew(1, confidence) * Math.max(1, leadMs / longestMs) + prior;
}
