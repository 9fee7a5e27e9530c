/** How much is added to a forecast so that memory stays below it with a given confidence: conformal quantiles of backtest errors. */
import type { BacktestPlan, Errors } from "./backtest.ts";
import { at } from "./history.ts";
import { selectRank } from "./order-statistics.ts";

/** An unknown series may be off by this part of its value; fades as errors become known. */
const PRIOR_ERROR = 0.25;
/** Grows the largest of too few errors towards the quantile that more of them would show. */
const FEW_ERRORS_GROWTH = 0.35;

/** Bytes, not negative and not descending with the seconds since the newest sample. */
export type Margin = (leadSeconds: number) => number;

/** What the errors at one lead say. */
export interface ErrorSample {
  /** Of them, the first `count` are used; they may be rearranged. */
  values: Float64Array;
  count: number;
  /** How many of them can be independent: forecasts that overlap in time err together. */
  independent: number;
}

export interface MarginOptions {
  /** Between 0 and 1, exclusive. */
  confidence: number;
  /** The share of errors that may lie beyond the bound, as calibration has it now (./calibration.ts); 0: none of those seen. */
  alpha: number;
  /** The newest value, bytes. */
  lastBytes: number;
}

/** By how many errors a quantile at this confidence is known (Vovk et al., Algorithmic Learning in a Random World, section 2.2). */
export function errorsNeeded(confidence: number): number {
  return Math.max(1, Math.ceil(confidence / (1 - confidence)));
}

/** At least 1. */
export function growthForFew(independent: number, confidence: number): number {
  return 1 + FEW_ERRORS_GROWTH * Math.max(0, Math.log(errorsNeeded(confidence) / Math.max(1, independent)));
}

/** What is added because the series is hardly known yet: the more, the fewer errors; nothing once there are enough. */
export function priorBytes(
  count: number,
  { confidence, lastBytes }: { confidence: number; lastBytes: number },
): number {
  return lastBytes * PRIOR_ERROR * Math.max(0, 1 - count / errorsNeeded(confidence)) ** 4;
}

/** What the errors at one lead ask for, without the prior. Not descending as alpha falls. */
function quantileBytes({ values, count, independent }: ErrorSample, { alpha, confidence }: MarginOptions): number {
  if (count === 0) return 0;
  const rank = Math.min(count, Math.ceil((count + 1) * (1 - alpha)));
  const quantile = Math.max(0, selectRank(values, count, Math.max(0, rank - 1)));
  return quantile * growthForFew(independent, confidence);
}

/** The margin at the lead of the sample. Not descending as alpha falls. */
export function marginBytes(sample: ErrorSample, options: MarginOptions): number {
  return quantileBytes(sample, options) + priorBytes(sample.count, options);
}

/** The errors at a lead that were known at a moment: those whose sample had been taken. */
export function errorsKnown(plan: BacktestPlan, errors: Errors, lead: number, knownAtSeconds: number): ErrorSample {
  const of = errors[lead] ?? new Float64Array();
  const values = new Float64Array(of.length);
  let [count, first, last] = [0, 0, 0];
  of.forEach((error, position) => {
    if (Number.isNaN(error) || plan.spread[position] !== 1) return;
    const target = at(plan.history.seconds, plan.targets[lead]?.[position] ?? 0);
    if (target > knownAtSeconds) return;
    if (count === 0) first = target;
    last = target;
    values[count++] = error;
  });
  const seconds = plan.leadsSeconds[lead] ?? 0;
  const independent = seconds > 0 ? Math.min(count, 1 + Math.floor((last - first) / seconds)) : count;
  return { values, count, independent };
}

/**
 * The margin at any lead: between those that the backtest knows a straight line; beyond the longest in proportion to the lead.
 * A longer lead never has the smaller margin.
 */
export function marginCurve(plan: BacktestPlan, errors: Errors, options: MarginOptions): Margin {
  const knots: Knot[] = [];
  let [least, count] = [0, 0];
  plan.leadsSeconds.forEach((lead, index) => {
    const sample = errorsKnown(plan, errors, index, Number.POSITIVE_INFINITY);
    if (sample.count === 0) return;
    least = Math.max(least, quantileBytes(sample, options));
    count = sample.count;
    knots.push({ lead: Math.max(lead, plan.stepSeconds), bytes: least });
  });
  const prior = priorBytes(count, options);
  return (leadSeconds) => interpolate(knots, leadSeconds) + prior;
}

interface Knot {
  lead: number;
  bytes: number;
}

/** What holds for the first knot holds before it too: errors of noise are no smaller for being near. */
function interpolate(knots: readonly Knot[], leadSeconds: number): number {
  let before: Knot | undefined;
  for (const knot of knots) {
    if (leadSeconds <= knot.lead) {
      if (before === undefined) return knot.bytes;
      return before.bytes + ((knot.bytes - before.bytes) * (leadSeconds - before.lead)) / (knot.lead - before.lead);
    }
    before = knot;
  }
  return before === undefined ? 0 : before.bytes * (leadSeconds / before.lead);
}
