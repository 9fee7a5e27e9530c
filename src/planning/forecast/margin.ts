/** How much is added to a forecast so that memory stays below it with a given confidence: conformal quantiles of backtest errors. */
import type { BacktestPlan, Errors } from "./backtest.ts";
import { at } from "./history.ts";
import { selectRank } from "./order-statistics.ts";

/** An unknown series may be off by this part of its value; fades as errors become known. */
const PRIOR_ERROR = 0.25;
/** Grows the largest of too few errors towards the quantile that more of them would show. */
const FEW_ERRORS_GROWTH = 0.35;

/** What is added at any distance: see {@link marginAt}. */
export interface Margin {
  /** At the leads that the backtest knows, ascending; bytes are not descending. */
  knots: readonly Knot[];
  /** On top, whatever the lead: see {@link priorBytes}. */
  priorBytes: number;
  /** Errors that are known at the calibrated lead. */
  tests: number;
}

interface Knot {
  leadSeconds: number;
  bytes: number;
}

/** What the errors at one lead say. */
export interface ErrorSample {
  /** Of them, the first `count` are used; they may be rearranged. */
  readonly values: Float64Array;
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

// Scratch space for the errors that are known, used anew each time; grows with the most.
let known = new Float64Array(128);

/** The errors at a lead that were known at a moment: those whose sample had been taken. Good until it is asked for others. */
export function errorsKnown(plan: BacktestPlan, errors: Errors, lead: number, knownAtMs: number): ErrorSample {
  const [of, targets] = [errors[lead], plan.targets[lead]];
  const { timesMs } = plan.history;
  if (plan.count > known.length) known = new Float64Array(2 * plan.count);
  let count = 0;
  let firstMs = 0;
  let lastMs = 0;
  for (let position = 0; position < plan.count; position++) {
    const target = targets?.[position] ?? -1;
    if (target < 0 || plan.spread[position] !== 1) continue;
    const timeMs = at(timesMs, target);
    if (timeMs > knownAtMs) break; // targets ascend
    if (count === 0) firstMs = timeMs;
    lastMs = timeMs;
    known[count++] = of?.[position] ?? 0;
  }
  const leadMs = (plan.leadsSeconds[lead] ?? 0) * 1000;
  const independent = leadMs > 0 ? Math.min(count, 1 + Math.floor((lastMs - firstMs) / leadMs)) : count;
  return { values: known, count, independent };
}

export function marginOf(plan: BacktestPlan, errors: Errors, options: MarginOptions): Margin {
  const knots: Knot[] = [];
  const { leadsSeconds, stepSeconds } = plan;
  let bytes = 0;
  let count = 0;
  let tests = 0;
  for (let lead = 0; lead < leadsSeconds.length; lead++) {
    const sample = errorsKnown(plan, errors, lead, Number.POSITIVE_INFINITY);
    tests = sample.count;
    if (tests === 0) continue;
    bytes = Math.max(bytes, quantileBytes(sample, options));
    count = tests;
    knots.push({ leadSeconds: Math.max(leadsSeconds[lead] ?? 0, stepSeconds), bytes });
  }
  return { knots, priorBytes: priorBytes(count, options), tests };
}

/**
 * Bytes at any lead: between those that the backtest knows along a straight line; beyond the longest in proportion to the lead; before the first
 * as there: errors of noise are no smaller for being near. A longer lead never has the smaller margin.
 */
export function marginAt({ knots, priorBytes: prior }: Margin, leadSeconds: number): number {
  let before: Knot | undefined;
  for (const knot of knots) {
    if (leadSeconds <= knot.leadSeconds) {
      if (before === undefined) return knot.bytes + prior;
      const part = (leadSeconds - before.leadSeconds) / (knot.leadSeconds - before.leadSeconds);
      return before.bytes + (knot.bytes - before.bytes) * part + prior;
    }
    before = knot;
  }
  return before === undefined ? prior : before.bytes * (leadSeconds / before.leadSeconds) + prior;
}
