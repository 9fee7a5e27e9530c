/**
 * How a model would have done on this very series: fitted to each part of the past, its curve held against what came after.
 * Nothing that came after an origin is used for its forecast.
 */
import { type Envelope, envelopeOf, within } from "./envelope.ts";
import { at, type History, spanSeconds } from "./history.ts";
import type { Curve, ForecastModel } from "./model.ts";
import { medianStepSeconds } from "./step.ts";

/** Origins of one backtest at most, beside those that are new since the last calibration. */
export const MAX_ORIGINS = 32;
/** The leads in parts of the calibrated one; the first is the very next sample. */
const LEAD_PARTS = [0, 1 / 4, 1 / 2, 1];
/** Rates of the envelope are taken over this part of the calibrated lead. */
export const SUSTAINED_PART = 1 / 4;
/** A sample this many times later than the lead, after a gap, is no longer held against it. */
export const LATEST_TARGET = 1.5;

/** Which forecasts of the past are looked at. Depends on the times of the samples and the horizon only, so it serves every model. */
export interface BacktestPlan {
  history: History;
  envelope: Envelope;
  horizonSeconds: number;
  /** From one sample to the next, usually. */
  stepSeconds: number;
  /** Ascending, first 0 for the very next sample; the last is the calibrated lead: the horizon, or half of the series where that is shorter. */
  leadsSeconds: number[];
  /** Indices of the last sample known at each origin, ascending. */
  origins: number[];
  /** By origin: 1 for the most recent and those evenly spread, which bounds and the choice of a model rest on; 0: only to calibrate. */
  spread: Uint8Array;
  /** By lead, by origin: the index of the sample that is held against the forecast; -1 where there is none. */
  targets: Int32Array[];
}

/** By lead, by origin: sample minus forecast, in bytes; NaN where the plan has no target. It never leaves this folder. */
export type Errors = Float64Array[];

export interface Backtest {
  errors: Errors;
  /** The forecast from the newest sample on, kept within the envelope. */
  curve: Curve;
  /** The model that made the curve. */
  model: string;
}

/** `newSinceSeconds`: every origin whose target at the calibrated lead is later is looked at, however many there are besides. */
export function planBacktest(history: History, horizonSeconds: number, newSinceSeconds: number): BacktestPlan {
  const longest = Math.min(horizonSeconds, spanSeconds(history) / 2);
  const stepSeconds = medianStepSeconds(history, history.seconds.length);
  const leadsSeconds = LEAD_PARTS.map((part) => part * longest).filter(
    (lead, index) => index === 0 || lead > stepSeconds,
  );
  const { origins, spread } = chooseOrigins(history, longest, newSinceSeconds);
  return {
    history,
    envelope: envelopeOf(history, longest * SUSTAINED_PART),
    horizonSeconds,
    stepSeconds,
    leadsSeconds,
    origins,
    spread,
    targets: leadsSeconds.map((lead) => targetsOf(history, origins, lead)),
  };
}

function chooseOrigins(history: History, longestLead: number, newSinceSeconds: number) {
  const { seconds } = history;
  let first = 2;
  while (first < seconds.length && spanSeconds(history, first + 1) < longestLead * SUSTAINED_PART) first++;
  const count = seconds.length - 1 - first;
  const stride = Math.max(1, Math.ceil(count / MAX_ORIGINS));
  const newest = at(seconds, seconds.length - 1);
  const origins: number[] = [];
  const spread: number[] = [];
  for (let index = first; index < seconds.length - 1; index++) {
    const isNew = at(seconds, index) + longestLead > newSinceSeconds;
    const isRecent = at(seconds, index) + longestLead > newest;
    const isSpread = (index - first) % stride === 0 || isRecent;
    if (!isSpread && !isNew) continue;
    origins.push(index);
    spread.push(isSpread ? 1 : 0);
  }
  return { origins, spread: Uint8Array.from(spread) };
}

/** The first sample at or after the lead, unless a gap makes it much later. Both ascend, so one pass does. */
function targetsOf({ seconds }: History, origins: readonly number[], lead: number): Int32Array {
  const targets = new Int32Array(origins.length);
  let target = 0;
  origins.forEach((origin, position) => {
    const from = at(seconds, origin);
    target = Math.max(target, origin + 1);
    while (target < seconds.length && at(seconds, target) < from + lead) target++;
    const near = target < seconds.length && (lead === 0 || at(seconds, target) - from <= LATEST_TARGET * lead);
    targets[position] = near ? target : -1;
  });
  return targets;
}

export function backtest(model: ForecastModel, plan: BacktestPlan): Backtest {
  const { history, horizonSeconds } = plan;
  const errors = plan.leadsSeconds.map(() => new Float64Array(plan.origins.length).fill(Number.NaN));
  plan.origins.forEach((origin, position) => {
    const curve = model.fit({ history, end: origin + 1, horizonSeconds });
    plan.targets.forEach((targets, lead) => {
      const target = targets[position] ?? -1;
      const of = errors[lead];
      if (target >= 0 && of !== undefined) of[position] = errorAt(plan, curve, origin, target);
    });
  });
  return { errors, curve: presentCurve(model, plan), model: model.name };
}

function errorAt({ history, envelope }: BacktestPlan, curve: Curve, origin: number, target: number): number {
  const time = at(history.seconds, target);
  const ahead = time - at(history.seconds, origin);
  return at(history.bytes, target) - within(envelope, origin, ahead, curve(time));
}

/** What no model's errors exceed. */
export function errorsAtMost(plan: BacktestPlan): Errors {
  return plan.targets.map((targets) =>
    Float64Array.from(targets, (target, position) =>
      target < 0 ? Number.NaN : errorAt(plan, () => 0, plan.origins[position] ?? 0, target),
    ),
  );
}

/** From the newest sample on, kept within the envelope. */
export function presentCurve(model: ForecastModel, { history, envelope, horizonSeconds }: BacktestPlan): Curve {
  const end = history.seconds.length;
  const curve = model.fit({ history, end, horizonSeconds });
  const newest = at(history.seconds, end - 1);
  return (atSeconds) => within(envelope, end - 1, Math.max(0, atSeconds - newest), curve(atSeconds));
}
