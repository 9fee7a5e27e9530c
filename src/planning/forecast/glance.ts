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
const CLOCK_SKEW_SECONDS = 10;
const OLDEST_SECONDS = 366 * 86_400;

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
  // In the very arithmetic of a history, so that what is told apart there is told apart here.
  const secondsAt = (index: number) => Math.round(at(timesMs, index) - nowMs) / 1000;
  const [oldest, newest] = [secondsAt(begin), secondsAt(end - 1)];
  if (newest > CLOCK_SKEW_SECONDS || oldest < -OLDEST_SECONDS) return Number.POSITIVE_INFINITY;
  const longest = Math.min(horizonSeconds, (newest - oldest) / 2);
  const sustained = longest * SUSTAINED_PART;
  let [highest, lowest, rise, fall, from, known, first] = [0, at(bytes, begin), 0, 0, begin, 0, begin + 2];
  let before = oldest - sustained;
  for (let index = begin; index < end; index++) {
    const [time, value] = [secondsAt(index), at(bytes, index)];
    const gap = time - before;
    before = time;
    if (!(value >= 0 && value < Number.MAX_SAFE_INTEGER && gap > 0 && gap <= longest * GAP_PART)) {
      return Number.POSITIVE_INFINITY;
    }
    highest = Math.max(highest, value);
    lowest = Math.min(lowest, value);
    while (from + 1 < index && secondsAt(from + 1) <= time - sustained) from++;
    if (from < index && secondsAt(from) <= time - sustained) {
      const rate = (value - at(bytes, from)) / (time - secondsAt(from));
      rise = Math.max(rise, rate);
      fall = Math.max(fall, -rate);
    }
    if (index === first && time - oldest < sustained) first++;
    else if (index >= first && newest >= time + longest) known++;
  }
  const lastBytes = at(bytes, end - 1);
  const lead = horizonSeconds - Math.min(0, newest);
  const error = highest - Math.max(0, lowest - fall * LATEST_TARGET * longest);
  const stride = Math.max(1, Math.ceil((end - 1 - first) / MAX_ORIGINS));
  const prior = priorBytes(Math.floor(known / stride), { confidence, lastBytes });
  return highest + rise * lead + error * growthForFew(1, confidence) * Math.max(1, lead / longest) + prior;
}
