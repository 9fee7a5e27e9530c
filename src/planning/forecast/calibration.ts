/**
 * Adaptive conformal inference: the share of errors that the bound leaves out, α_t, is moved after every sample, so that in the
 * long run memory exceeds the bound as often as the policy's confidence admits, whatever the series does.
 *
 *   α_{t+1} = α_t + γ (α − err_t),   err_t = 1 if the sample exceeded the bound that was in force when it was foreseen
 *
 * Source: Gibbs & Candès (2021), Adaptive Conformal Inference Under Distribution Shift, NeurIPS 34, equation (2).
 * Different from there: α_t stays within [0, 2α]. 0 stands for "larger than every error seen", where the paper's bound would be infinite;
 * the upper end keeps a long quiet time from making the bound careless. A series without state starts at 0, the widest bound that any state
 * could give, so losing the state never makes a bound narrower; it takes about 1/γ samples to come down to α.
 */
import { z } from "zod";
import type { BacktestPlan, Errors } from "./backtest.ts";
import { at } from "./history.ts";
import { errorsKnown, marginBytes } from "./margin.ts";

/** γ: the paper's experiments use 0.005 to 0.08 and find little difference in between. */
const STEP_SIZE = 0.05;

const LONGEST_NAME = 32;

/** What is remembered of one series between evaluations: plain, small and of fixed size. */
export const calibrationSchema = z.object({
  model: z.string().max(LONGEST_NAME),
  confidence: z.number().gt(0).lt(1),
  horizonSeconds: z.number().positive(),
  /** α_t. */
  alpha: z.number().min(0).max(1),
  /** Time of the newest sample that was taken into account, milliseconds since the epoch. */
  throughMs: z.number(),
});
export type Calibration = Readonly<z.infer<typeof calibrationSchema>>;

/** What a calibration belongs to: with another model, horizon or confidence it starts anew. */
export type CalibrationKey = Pick<Calibration, "model" | "confidence" | "horizonSeconds">;

/** As {@link calibrationSchema} has it, many times faster: all of them are looked at in every evaluation. */
export function isCalibration(state: unknown): state is Calibration {
  if (typeof state !== "object" || state === null) return false;
  const { model, confidence, horizonSeconds, alpha, throughMs }: Partial<Record<keyof Calibration, unknown>> = state;
  return (
    typeof model === "string" &&
    model.length <= LONGEST_NAME &&
    isWithin(confidence, Number.MIN_VALUE, 1 - Number.EPSILON / 2) &&
    isWithin(horizonSeconds, Number.MIN_VALUE, Number.MAX_VALUE) &&
    isWithin(alpha, 0, 1) &&
    isWithin(throughMs, -Number.MAX_VALUE, Number.MAX_VALUE)
  );
}

const isWithin = (value: unknown, least: number, most: number) =>
  typeof value === "number" && value >= least && value <= most;

/** Undefined where it is of something else, from the future, or damaged: the series then starts anew, with the widest bound. */
export function usableCalibration(state: unknown, key: CalibrationKey, nowMs: number): Calibration | undefined {
  if (!isCalibration(state) || state.throughMs > nowMs) return undefined;
  const { model, confidence, horizonSeconds, alpha } = state;
  const same = model === key.model && confidence === key.confidence && horizonSeconds === key.horizonSeconds;
  return same && alpha <= largestAlpha(confidence) ? state : undefined;
}

function largestAlpha(confidence: number): number {
  return Math.min(1, 2 * (1 - confidence));
}

/** Takes the samples since `state` into account, in order of time. */
export function calibrate(
  plan: BacktestPlan,
  errors: Errors,
  { key, state }: { key: CalibrationKey; state: Calibration | undefined },
): Calibration {
  const { timesMs, nowMs } = plan.history;
  const throughMs = Math.min(nowMs, at(timesMs, timesMs.length - 1));
  if (state === undefined) return { ...key, alpha: 0, throughMs };
  const longest = plan.leadsSeconds.length - 1;
  const { confidence } = key;
  const [ofLongest, targets] = [errors[longest], plan.targets[longest]];
  let { alpha } = state;
  for (let position = 0; position < plan.count; position++) {
    const target = targets?.[position] ?? -1;
    if (target < 0 || at(timesMs, target) <= state.throughMs) continue;
    const error = ofLongest?.[position] ?? 0;
    alpha = nextAlpha(alpha, exceeded(plan, errors, { position, error, alpha, confidence }), confidence);
  }
  return { ...key, alpha, throughMs: Math.max(throughMs, state.throughMs) };
}

function nextAlpha(alpha: number, exceededBound: boolean | undefined, confidence: number): number {
  if (exceededBound === undefined) return alpha;
  const moved = alpha + STEP_SIZE * (1 - confidence - (exceededBound ? 1 : 0));
  return Math.min(largestAlpha(confidence), Math.max(0, moved));
}

/** Against the bound as it was at that origin, from the errors known then; undefined when there were none. */
function exceeded(
  plan: BacktestPlan,
  errors: Errors,
  { position, error, alpha, confidence }: { position: number; error: number; alpha: number; confidence: number },
): boolean | undefined {
  const origin = plan.origins[position] ?? 0;
  const known = errorsKnown(plan, errors, plan.leadsSeconds.length - 1, at(plan.history.timesMs, origin));
  if (known.count === 0) return undefined;
  return error > marginBytes(known, { confidence, alpha, lastBytes: at(plan.history.bytes, origin) });
}
