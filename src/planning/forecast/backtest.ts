/**
 * How a model would have done on this very series: fitted to each part of the past, its curve held against what came after.
 * Nothing that came after an origin is used for its forecast.
 */
import { type Envelope, envelopeOf, within, withinFrom } from "./envelope.ts";
import { type Fits, LOOK_BACK_HORIZONS } from "./fits.ts";
import { at, type History, spanSeconds } from "./history.ts";
import type { Curve } from "./model.ts";
import { medianStepSeconds } from "./step.ts";

/** Origins lie in at least so many of the last horizons, as far as the series goes. */
const BACKTEST_HORIZONS = 4;
/** Origins of one backtest at most, beside the recent ones and those that are new since the last calibration. */
const MAX_ORIGINS = 32;
/** The leads in parts of the calibrated one, beside the very next sample. */
const LEAD_PARTS = [1 / 4, 1 / 2, 1];
/** Rates of the envelope are taken over this part of the calibrated lead. */
export const SUSTAINED_PART = 1 / 4;
/** A sample this many times later than the lead, after a gap, is no longer held against it. */
export const LATEST_TARGET = 1.5;

/**
 * Which forecasts of the past are looked at. Depends on the times of the samples and the horizon only, so it serves every model. Good until
 * another is made.
 */
export interface BacktestPlan {
  history: History;
  envelope: Envelope;
  /** From one sample to the next, usually. */
  stepSeconds: number;
  /** Ascending, first 0 for the very next sample; the last is the calibrated lead. */
  leadsSeconds: number[];
  /** How many origins there are: what follows may be longer. */
  count: number;
  /** Indices of the last sample known at each origin, ascending. */
  origins: Int32Array;
  /** By origin, 1: it is one of the most recent or of those evenly spread, which bounds and the choice of a model rest on; 0: it only calibrates. */
  spread: Uint8Array;
  /** By lead, by origin: the index of the sample that is held against the forecast; -1 where there is none. */
  targets: readonly Int32Array[];
}

/** By lead, by origin: sample minus forecast, in bytes; NaN where the plan has no target. It never leaves this folder. */
export type Errors = readonly Float64Array[];

/** Where errors are written, each time over those before; grows with the most. */
export class ErrorSpace {
  #errors: Float64Array[] = [];

  for({ count, leadsSeconds }: BacktestPlan): Errors {
    if ((this.#errors[0]?.length ?? 0) < count || this.#errors.length < leadsSeconds.length) {
      this.#errors = leadsSeconds.map(() => new Float64Array(2 * count));
    }
    return this.#errors;
  }
}

// Where plans are written.
let space = spaceFor(128);

function spaceFor(count: number) {
  const indices = () => new Int32Array(count);
  return { origins: indices(), spread: new Uint8Array(count), targets: [0, ...LEAD_PARTS].map(indices) };
}

/** The horizon, or half of the series where that is shorter. */
function calibratedLeadSeconds(history: History, horizonSeconds: number): number {
  return Math.min(horizonSeconds, spanSeconds(history) / 2);
}

/** What forecasts up to the horizon are kept within. */
export function plausibleEnvelope(history: History, horizonSeconds: number): Envelope {
  return envelopeOf(history, calibratedLeadSeconds(history, horizonSeconds) * SUSTAINED_PART);
}

export interface PlanOptions {
  envelope: Envelope;
  horizonSeconds: number;
  /** Every origin whose target at the calibrated lead is later is looked at, however many there are besides. */
  newSinceMs: number;
}

export function planBacktest(history: History, { envelope, horizonSeconds, newSinceMs }: PlanOptions): BacktestPlan {
  const longest = calibratedLeadSeconds(history, horizonSeconds);
  const stepSeconds = medianStepSeconds(history, 0, history.timesMs.length);
  const leadsSeconds = [0, ...LEAD_PARTS.map((part) => part * longest).filter((lead) => lead > stepSeconds)];
  if (history.timesMs.length > space.origins.length) space = spaceFor(2 * history.timesMs.length);
  const count = chooseOrigins(history, horizonSeconds * 1000, newSinceMs);
  const { origins, spread, targets } = space;
  const plan = { history, envelope, stepSeconds, leadsSeconds, count, origins, spread, targets };
  for (let lead = 0; lead < leadsSeconds.length; lead++) chooseTargets(plan, lead);
  return plan;
}

/** How many. */
function chooseOrigins(history: History, horizonMs: number, newSinceMs: number): number {
  const { timesMs } = history;
  const newest = timesMs.length - 1;
  const longestMs = calibratedLeadSeconds(history, horizonMs / 1000) * 1000;
  const spanMs = at(timesMs, newest) - at(timesMs, 0);
  const leadIn = leadInMs(spanMs, horizonMs);
  const strideMs = strideOf(spanMs - leadIn);
  let count = 0;
  for (let index = firstOrigin(history, leadIn); index < newest; index++) {
    const targetMs = at(timesMs, index) + longestMs;
    const isSpread = targetMs > at(timesMs, newest) || isFirstOfStride(timesMs, index, strideMs);
    if (!isSpread && !(targetMs > newSinceMs)) continue;
    space.origins[count] = index;
    space.spread[count++] = isSpread ? 1 : 0;
  }
  return count;
}

/** The third, or later. */
function firstOrigin({ timesMs }: History, leadIn: number): number {
  let first = 2;
  while (first < timesMs.length && at(timesMs, first) - at(timesMs, 0) < leadIn) first++;
  return first;
}

/**
 * From a series' beginning to the first origin: of less than the time over which rates are taken nothing can be told, and in a long series what
 * models look back on lies before every origin.
 */
export function leadInMs(spanMs: number, horizonMs: number): number {
  const sustainedMs = Math.min(horizonMs, spanMs / 2) * SUSTAINED_PART;
  return Math.max(sustainedMs, Math.min(LOOK_BACK_HORIZONS * horizonMs, spanMs - BACKTEST_HORIZONS * horizonMs));
}

/** Milliseconds: so that the strides on the clock, wherever the series begins, are at most {@link MAX_ORIGINS}; steadily the same ones. */
export function strideOf(spanMs: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(spanMs, 1) / (MAX_ORIGINS - 1)));
}

export function isFirstOfStride(timesMs: Float64Array, index: number, strideMs: number): boolean {
  return Math.floor(at(timesMs, index) / strideMs) !== Math.floor(at(timesMs, index - 1) / strideMs);
}

/** The first sample at or after the lead, unless a gap makes it much later. Both ascend, so one pass does. */
function chooseTargets(
  { history: { timesMs }, leadsSeconds, count, origins, targets }: BacktestPlan,
  lead: number,
): void {
  const chosen = targets[lead];
  if (chosen === undefined) return;
  const leadMs = (leadsSeconds[lead] ?? 0) * 1000;
  let target = 0;
  for (let position = 0; position < count; position++) {
    const origin = origins[position] ?? 0;
    const from = at(timesMs, origin);
    target = Math.max(target, origin + 1);
    while (target < timesMs.length && at(timesMs, target) < from + leadMs) target++;
    const near = target < timesMs.length && (leadMs === 0 || at(timesMs, target) - from <= LATEST_TARGET * leadMs);
    chosen[position] = near ? target : -1;
  }
}

/** Written into `into`. */
export function backtest(fits: Fits, plan: BacktestPlan, into: ErrorSpace): Errors {
  const errors = into.for(plan);
  for (let lead = 0; lead < plan.leadsSeconds.length; lead++) tellErrors(fits, plan, lead, errors);
  return errors;
}

function tellErrors(fits: Fits, plan: BacktestPlan, lead: number, errors: Errors): void {
  const { history, envelope, count, origins } = plan;
  const { timesMs, bytes } = history;
  const [told, targets] = [errors[lead], plan.targets[lead]];
  if (told === undefined || targets === undefined) return;
  for (let position = 0; position < count; position++) {
    const target = targets[position] ?? -1;
    told[position] = Number.NaN;
    if (target < 0) continue;
    const origin = origins[position] ?? 0;
    const aheadSeconds = (at(timesMs, target) - at(timesMs, origin)) / 1000;
    told[position] = at(bytes, target) - within(envelope, origin, aheadSeconds, fits.ahead(origin, aheadSeconds));
  }
}

/** From the newest sample on, kept within the envelope. */
export function presentCurve(fits: Fits, history: History, envelope: Envelope): Curve {
  const newest = history.timesMs.length - 1;
  const curve = fits.curveFrom(newest);
  const plausible = withinFrom(envelope, newest);
  return (aheadSeconds) => plausible(aheadSeconds, curve(aheadSeconds));
}
