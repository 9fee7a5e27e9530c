/**
 * The forecast of one series: a curve, and a bound that memory stays below with the policy's confidence.
 *
 * @example
 * const foreseen = forecastSeries(series, { nowMs, horizonSeconds: 300, confidence: 0.95, model: "Auto", calibration });
 * foreseen?.upper(300); // bytes in five minutes, at worst
 */
import type { Series } from "../snapshot.ts";
import { planBacktest } from "./backtest.ts";
import { type Calibration, type CalibrationKey, calibrate, usableCalibration } from "./calibration.ts";
import { at, type History, toHistory } from "./history.ts";
import { errorsKnown, marginCurve } from "./margin.ts";
import { backtestNamed, curveNamed, type ModelName } from "./models.ts";

/** Horizons of more than a year are cut to it. */
const LONGEST_HORIZON_SECONDS = 366 * 86_400;

export interface ForecastOptions {
  nowMs: number;
  /** How far ahead the bound is calibrated. Positive. */
  horizonSeconds: number;
  /** With which memory stays below the bound; between 0 and 1, exclusive. */
  confidence: number;
  model: ModelName;
  /** What the last forecast of this series handed back; anything else, or nothing: the bound starts as its widest. */
  calibration?: unknown;
}

/** Curves over seconds from now; finite, not negative, for 0 and more. A moment in the past counts as now. */
export interface Forecast {
  point(aheadSeconds: number): number;
  /** Not below `point`. */
  upper(aheadSeconds: number): number;
}

export interface SeriesForecast extends Forecast {
  /** The model used: for Auto the one it chose. */
  model: string;
  /** To be handed in with the next forecast of this series. */
  calibration: Calibration;
  /** How far back the newest usable sample lies. */
  ageSeconds: number;
  /** Samples that could not be used. */
  dropped: number;
  /** Forecasts of its own past that were held against what came after, at the calibrated lead. */
  tests: number;
}

/** Undefined: the series has no usable sample, so nothing is known. Throws only for options that no schema admits. */
export function forecastSeries(series: Series, options: ForecastOptions): SeriesForecast | undefined {
  requireAdmitted(options);
  const history = toHistory(series, options.nowMs);
  return history === undefined ? undefined : forecastHistory(history, options);
}

export function forecastHistory(history: History, options: ForecastOptions): SeriesForecast {
  const { nowMs, model, confidence } = options;
  const { plan, key, state } = planForecast(history, options);
  const last = history.seconds.length - 1;
  const newest = Math.min(0, at(history.seconds, last));
  const lastBytes = at(history.bytes, last);
  const trial = lazily(() => backtestNamed(model, plan));
  const calibration = lazily(() => calibrate(plan, trial().errors, { key, state, nowMs }));
  const margin = lazily(() => marginCurve(plan, trial().errors, { confidence, alpha: calibration().alpha, lastBytes }));
  const curve = model === "Auto" ? trial().curve : curveNamed(model, plan);
  const point = (aheadSeconds: number) => curve(ahead(aheadSeconds));
  return {
    model: model === "Auto" ? trial().model : model,
    ageSeconds: -newest,
    dropped: history.dropped,
    get calibration() {
      return calibration();
    },
    get tests() {
      const longest = plan.leadsSeconds.length - 1;
      return errorsKnown(plan, trial().errors, longest, Number.POSITIVE_INFINITY).count;
    },
    point,
    upper: (aheadSeconds) => point(aheadSeconds) + margin()(ahead(aheadSeconds) - newest),
  };
}

/** The model's own past is looked at only where the bound, and not just the forecast, is asked for. */
function lazily<T>(work: () => T): () => T {
  let done: { value: T } | undefined;
  return () => {
    done ??= { value: work() };
    return done.value;
  };
}

/** All of a forecast that needs no model. */
export function planForecast(history: History, options: ForecastOptions) {
  requireAdmitted(options);
  const { nowMs, model, confidence } = options;
  const horizonSeconds = Math.min(options.horizonSeconds, LONGEST_HORIZON_SECONDS);
  const key: CalibrationKey = { model, confidence, horizonSeconds };
  const state = usableCalibration(options.calibration, key, nowMs);
  const newSince = state === undefined ? Number.POSITIVE_INFINITY : (state.throughMs - nowMs) / 1000;
  return { plan: planBacktest(history, horizonSeconds, newSince), key, state };
}

function ahead(seconds: number): number {
  return Math.min(LONGEST_HORIZON_SECONDS, Math.max(0, seconds));
}

function requireAdmitted({ horizonSeconds, confidence, nowMs }: ForecastOptions): void {
  if (!(horizonSeconds > 0)) throw new RangeError(`horizonSeconds must be positive: ${horizonSeconds}`);
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must be between 0 and 1: ${confidence}`);
  if (!Number.isFinite(nowMs)) throw new RangeError(`nowMs must be a time: ${nowMs}`);
}
