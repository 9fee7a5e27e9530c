/**
 * Percentile: a high percentile of what was used before, old samples counting ever less.
 *
 * Good at: memory that goes up and down around a level: it foresees the usual peak, not the last value.
 * Bad at: growth: it never foresees more than was already seen.
 * Source: the recommender of Kubernetes' Vertical Pod Autoscaler: a histogram with buckets that widen by 5 %, the first of 10 MB, weights
 * that halve with age, the upper end of the bucket that holds the 90th percentile. Its half-life of a day suits requests that live for weeks;
 * here it follows the horizon. Unlike there no safety margin is added: that is the bound's part.
 */
import { at } from "./history.ts";
import { type ForecastModel, type Past, straightAhead } from "./model.ts";

const PERCENTILE = 0.9;
const HALF_LIFE_HORIZONS = 4;
const FIRST_BUCKET_BYTES = 1e7;
const BUCKET_GROWTH = 0.05;
const LOG_RATIO = Math.log(1 + BUCKET_GROWTH);

export const percentile: ForecastModel<"Percentile"> = {
  name: "Percentile",
  summary: "Memory reaches its usual peak, the 90th percentile, again: for pods that go up and down.",
  fit: (past) => ({ level: decayingPercentile(past), trend: 0 }),
  ahead: straightAhead,
};

function decayingPercentile({ history: { timesMs, bytes }, first, end, horizonSeconds }: Past): number {
  const past = bytes.subarray(first, end);
  const highest = past.reduce((most, value) => Math.max(most, value), 0);
  const lowestBucket = bucketOf(past.reduce((least, value) => Math.min(least, value), highest));
  const weights = new Float64Array(bucketOf(highest) - lowestBucket + 1);
  const newestMs = at(timesMs, end - 1);
  const halfLifeMs = HALF_LIFE_HORIZONS * horizonSeconds * 1000;
  let total = 0;
  for (let index = first; index < end; index++) {
    const weight = 2 ** ((at(timesMs, index) - newestMs) / halfLifeMs);
    const bucket = bucketOf(at(bytes, index)) - lowestBucket;
    weights[bucket] = at(weights, bucket) + weight;
    total += weight;
  }
  const bucket = firstReaching(weights, PERCENTILE * total);
  return Math.min(bucketEnd(lowestBucket + bucket), highest);
}

function firstReaching(weights: Float64Array, threshold: number): number {
  let sum = 0;
  for (let bucket = 0; bucket < weights.length; bucket++) {
    sum += at(weights, bucket);
    if (sum >= threshold) return bucket;
  }
  return weights.length - 1;
}

/** Bucket k ends where the widths of the first k + 1, each 5 % wider than the one before, add up. */
function bucketOf(value: number): number {
  return Math.floor(Math.log((value * BUCKET_GROWTH) / FIRST_BUCKET_BYTES + 1) / LOG_RATIO);
}

function bucketEnd(bucket: number): number {
  return (FIRST_BUCKET_BYTES * ((1 + BUCKET_GROWTH) ** (bucket + 1) - 1)) / BUCKET_GROWTH;
}
