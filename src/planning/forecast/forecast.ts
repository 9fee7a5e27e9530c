/**
 * The forecast of one series: a curve, and a bound that memory stays below with the policy's confidence.
 *
 * @example
 * const foreseen = forecastSeries(series, { nowMs, horizonSeconds: 300, confidence: 0.95, model: "Auto", calibration });
 * foreseen?.upper(300); // bytes in five minutes, at worst
 */
import type { Series } from "../snapshot.ts";
import { planBacktest, plausibleEnvelope, presentCurve } from "./backtest.ts";
import { type Calibration, type CalibrationKey, calibrate, usableCalibration } from "./calibration.ts";
import type { Envelope } from "./envelope.ts";
import { type Fits, SeriesFits } from "./fits.ts";
import { ageSeconds, at, type History, toHistory } from "./history.ts";
import { type Margin, marginAt, marginOf } from "./margin.ts";
import type { Curve } from "./model.ts";
import { backtestNamed, type ModelName, modelNamed } from "./models.ts";

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

/** Undefined: the series has no usable sample, so nothing is known. Throws only for options that no schema admits. */
export function forecastSeries(series: Series, options: ForecastOptions): SeriesForecast | undefined {
  requireAdmitted(options);
  const history = toHistory(series, options.nowMs);
  return history === undefined ? undefined : forecastHistory(history, options);
}

/** `fits`: of the same series and horizon, as they were left by its last forecast; saves time, and nothing else. */
export function forecastHistory(
  history: History,
  options: ForecastOptions,
  fits = new SeriesFits(cutHorizon(options)),
): SeriesForecast {
  requireAdmitted(options);
  return new SeriesForecast(history, options, fits);
}

/** Nothing is worked out before it is asked for: the model's own past is looked at only where the bound, and not just the forecast, is. */
export class SeriesForecast implements Forecast {
  /** How far back the newest usable sample lies. */
  readonly ageSeconds: number;
  /** Samples that could not be used. */
  readonly dropped: number;
  readonly lastBytes: number;
  readonly #history: History;
  readonly #options: ForecastOptions;
  readonly #fits: SeriesFits;
  /** Less than nothing where the newest sample is ahead of our clock. */
  readonly #sinceNewest: number;
  #present: Present | undefined;
  #bound: Bound | undefined;

  constructor(history: History, options: ForecastOptions, fits: SeriesFits) {
    this.#history = history;
    this.#options = options;
    this.#fits = fits;
    this.#sinceNewest = ageSeconds(history);
    this.ageSeconds = Math.max(0, this.#sinceNewest);
    this.dropped = history.dropped;
    this.lastBytes = at(history.bytes, history.bytes.length - 1);
  }

  /** The model used: for Auto the one it chose. */
  get model(): string {
    return this.#now().model;
  }

  point(aheadSeconds: number): number {
    return this.#now().curve(Math.max(0, ahead(aheadSeconds) + this.#sinceNewest));
  }

  upper(aheadSeconds: number): number {
    return this.margin(aheadSeconds) + this.point(aheadSeconds);
  }

  /** Bytes from `point` to `upper`. */
  margin(aheadSeconds: number): number {
    return marginAt(this.#bounded().margin, ahead(aheadSeconds) + this.ageSeconds);
  }

  /** To be handed in with the next forecast of this series. */
  get calibration(): Calibration {
    return this.#bounded().calibration;
  }

  /** Forecasts of its own past that were held against what came after, at the calibrated lead. */
  get tests(): number {
    return this.#bounded().margin.tests;
  }

  #now(): Present {
    const { model } = this.#options;
    this.#present ??=
      model === "Auto"
        ? this.#bounded().present
        : presentOf(
            this.#fits.of(modelNamed(model), this.#history),
            this.#history,
            plausibleEnvelope(this.#history, cutHorizon(this.#options)),
          );
    return this.#present;
  }

  #bounded(): Bound {
    this.#bound ??= boundOf(this.#history, this.#options, this.#fits);
    this.#present ??= this.#bound.present;
    return this.#bound;
  }
}

interface Present {
  /** The model's name. */
  model: string;
  /** From the newest sample on. */
  curve: Curve;
}

interface Bound {
  margin: Margin;
  calibration: Calibration;
  present: Present;
}

function boundOf(history: History, options: ForecastOptions, fits: SeriesFits): Bound {
  const { nowMs, model, confidence } = options;
  const horizonSeconds = cutHorizon(options);
  const key: CalibrationKey = { model, confidence, horizonSeconds };
  const state = usableCalibration(options.calibration, key, nowMs);
  const newSinceMs = state?.throughMs ?? Number.POSITIVE_INFINITY;
  const envelope = plausibleEnvelope(history, horizonSeconds);
  const plan = planBacktest(history, { envelope, horizonSeconds, newSinceMs });
  const { errors, chosen } = backtestNamed(model, plan, fits);
  const calibration = calibrate(plan, errors, { key, state });
  const lastBytes = at(history.bytes, history.bytes.length - 1);
  return {
    margin: marginOf(plan, errors, { confidence, alpha: calibration.alpha, lastBytes }),
    calibration,
    present: presentOf(chosen, history, envelope),
  };
}

function presentOf(fits: Fits, history: History, envelope: Envelope): Present {
  return { model: fits.model.name, curve: presentCurve(fits, history, envelope) };
}

/** Seconds. */
function cutHorizon({ horizonSeconds }: ForecastOptions): number {
  return Math.min(horizonSeconds, LONGEST_HORIZON_SECONDS);
}

function ahead(seconds: number): number {
  return Math.min(LONGEST_HORIZON_SECONDS, Math.max(0, seconds));
}

function requireAdmitted({ horizonSeconds, confidence, nowMs }: ForecastOptions): void {
  if (!(horizonSeconds > 0)) throw new RangeError(`horizonSeconds must be positive: ${horizonSeconds}`);
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must be between 0 and 1: ${confidence}`);
  if (!Number.isFinite(nowMs)) throw new RangeError(`nowMs must be a time: ${nowMs}`);
}
