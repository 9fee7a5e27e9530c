/**
 * A bound above every model's bound, from two passes over the raw samples: a series that stays below its limit by it needs no forecast, and the
 * decision is the same as with one. Infinite where it cannot be told so simply: few samples, gaps, out of order, implausible ones.
 *
 * Why it holds: a curve stays within the envelope (./envelope.ts), so h seconds after the newest sample it is at most highest + rise·h; no error
 * exceeds the highest sample less what the lowest could have fallen to; the margin is at most that, grown for a single independent error and
 * in proportion to the lead; and the prior counts the errors that a backtest knows.
 */
import type { Series } from "../snapshot.ts";
import { isFirstOfStride, LATEST_TARGET, leadInMs, SUSTAINED_PART, strideOf } from "./backtest.ts";
import { at } from "./history.ts";
import { growthForFew, priorBytes } from "./margin.ts";

const FEWEST_SAMPLES = 12;
/** Gaps of more than this part of the calibrated lead need a forecast. */
const GAP_PART = 1 / 4;
const CLOCK_SKEW_MS = 10_000;
const OLDEST_MS = 366 * 86_400_000;

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
  const [oldest, newest] = [at(timesMs, begin), at(timesMs, end - 1)];
  if (newest > nowMs + CLOCK_SKEW_MS || oldest < nowMs - OLDEST_MS) return Number.POSITIVE_INFINITY;
  const longest = Math.min(horizonSeconds * 1000, (newest - oldest) / 2);
  const sustained = longest * SUSTAINED_PART;
  const leadIn = leadInMs(newest - oldest, horizonSeconds * 1000);
  const stride = strideOf(newest - oldest - leadIn);
  let highest = 0;
  let lowest = at(bytes, begin);
  let rise = 0;
  let fall = 0;
  let from = begin;
  let first = begin + 2;
  let known = 0;
  let before = oldest - sustained;
  for (let index = begin; index < end; index++) {
    const time = at(timesMs, index);
    const value = at(bytes, index);
    const gap = time - before;
    before = time;
    const isWhole = Math.round(time) === time;
    if (!(value >= 0 && value < Number.MAX_SAFE_INTEGER && isWhole && gap > 0 && gap <= longest * GAP_PART)) {
      return Number.POSITIVE_INFINITY;
    }
    if (value > highest) highest = value;
    if (value < lowest) lowest = value;
    while (from + 1 < index && at(timesMs, from + 1) <= time - sustained) from++;
    if (from < index && at(timesMs, from) <= time - sustained) {
      const rate = (value - at(bytes, from)) / ((time - at(timesMs, from)) / 1000);
      if (rate > rise) rise = rate;
      if (-rate > fall) fall = -rate;
    }
    if (index === first && time - oldest < leadIn) first++;
    else if (index >= first && newest >= time + longest && isFirstOfStride(timesMs, index, stride)) known++;
  }
  const lastBytes = at(bytes, end - 1);
  const lead = horizonSeconds + Math.max(0, nowMs - newest) / 1000;
  const longestSeconds = longest / 1000;
  const error = highest - Math.max(0, lowest - fall * LATEST_TARGET * longestSeconds);
  const prior = priorBytes(known, { confidence, lastBytes });
  return highest + rise * lead + error * growthForFew(1, confidence) * Math.max(1, lead / longestSeconds) + prior;
}
