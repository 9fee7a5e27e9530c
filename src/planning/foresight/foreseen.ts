/** What is foreseen of one node or pod, wherever it is known from. Bytes over seconds from now. */

import type { Calibration } from "../forecast/calibration.ts";
import type { SeriesFits } from "../forecast/fits.ts";
import { type Forecast, type ForecastOptions, forecastHistory, type SeriesForecast } from "../forecast/forecast.ts";
import { type History, spanSeconds } from "../forecast/history.ts";
import type { Series } from "../snapshot.ts";

export interface Foreseen extends Forecast {
  /** From `point` to `upper`. */
  margin(aheadSeconds: number): number;
  /**
   * What a move may rest on: as `upper`, but of a history shorter than the horizon the forecast alone, and of less than half of that
   * what is used now. Of several together the errors count as independent of each other. Not above `upper`.
   */
  tested(aheadSeconds: number): number;
  /** From what it is foreseen, for messages: a model's name and the like. */
  basis: string;
}

/** Of a shorter history nobody can tell growth from a start. */
const FEWEST_HORIZONS_TO_GROW = 1 / 2;
/** Fewer forecasts of its own past than this held against what came true say nothing of a series. */
const FEWEST_TESTS = 5;
/** Without a series memory may be off by this part of what is used. */
const PRIOR_ERROR = 0.25;

/** `note` is given the calibration when a bound is first asked for. */
export function ofHistory(
  history: History,
  options: ForecastOptions,
  fits: SeriesFits,
  note: (calibration: Calibration) => void,
): Foreseen {
  return new ForeseenSeries(
    forecastHistory(history, options, fits),
    spanSeconds(history) / options.horizonSeconds,
    note,
  );
}

class ForeseenSeries implements Foreseen {
  readonly #forecast: SeriesForecast;
  readonly #horizons: number;
  readonly #note: (calibration: Calibration) => void;
  #isNoted = false;

  constructor(forecast: SeriesForecast, horizons: number, note: (calibration: Calibration) => void) {
    this.#forecast = forecast;
    this.#horizons = horizons;
    this.#note = note;
  }

  get basis(): string {
    return this.#forecast.model;
  }

  point(aheadSeconds: number): number {
    return this.#forecast.point(aheadSeconds);
  }

  upper(aheadSeconds: number): number {
    return this.margin(aheadSeconds) + this.point(aheadSeconds);
  }

  margin(aheadSeconds: number): number {
    if (!this.#isNoted) this.#note(this.#forecast.calibration);
    this.#isNoted = true;
    return this.#forecast.margin(aheadSeconds);
  }

  tested(aheadSeconds: number): number {
    if (this.#horizons < FEWEST_HORIZONS_TO_GROW) return this.#forecast.lastBytes;
    const isTested = this.#horizons >= 1 && this.#forecast.tests >= FEWEST_TESTS;
    return isTested ? this.upper(aheadSeconds) : this.point(aheadSeconds);
  }
}

/** A future that is known is the forecast, without a margin; before its first and after its last moment it stays level. */
export function ofFuture(series: Series, nowMs: number): Foreseen | undefined {
  const { timesMs, bytes } = series;
  const length = Math.min(timesMs.length, bytes.length);
  if (length === 0 || !isPossible(series, length)) return undefined;
  const point = (aheadSeconds: number) => valueAt(timesMs, bytes, length, nowMs + Math.max(0, aheadSeconds) * 1000);
  return { point, margin: () => 0, upper: point, tested: point, basis: "known future" };
}

/** What is not is as good as unknown. */
function isPossible({ timesMs, bytes }: Series, length: number): boolean {
  let lastMs = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < length; index++) {
    const [timeMs, value] = [timesMs[index] ?? Number.NaN, bytes[index] ?? Number.NaN];
    if (!(timeMs >= lastMs && timeMs < Number.MAX_SAFE_INTEGER && value >= 0 && value < Number.MAX_SAFE_INTEGER))
      return false;
    lastMs = timeMs;
  }
  return true;
}

/** Along a straight line between two moments. */
function valueAt(timesMs: Float64Array, bytes: Float64Array, length: number, timeMs: number): number {
  let [low, high] = [0, length - 1];
  if (timeMs <= (timesMs[low] ?? 0)) return bytes[low] ?? 0;
  if (timeMs >= (timesMs[high] ?? 0)) return bytes[high] ?? 0;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((timesMs[middle] ?? 0) <= timeMs) low = middle;
    else high = middle;
  }
  const [fromMs, toMs] = [timesMs[low] ?? 0, timesMs[high] ?? 0];
  const part = toMs > fromMs ? (timeMs - fromMs) / (toMs - fromMs) : 1;
  return (bytes[low] ?? 0) + part * ((bytes[high] ?? 0) - (bytes[low] ?? 0));
}

/** Without a series: what is used now and, where it is written beside it, its growth. */
export function ofUse(usedBytes: number, growthBytesPerMinute: number | undefined): Foreseen {
  const perSecond = Math.max(0, growthBytesPerMinute ?? 0) / 60;
  const point = (aheadSeconds: number) => usedBytes + perSecond * Math.max(0, aheadSeconds);
  const margin = () => PRIOR_ERROR * usedBytes;
  return {
    point,
    margin,
    upper: (aheadSeconds) => point(aheadSeconds) + margin(),
    tested: point,
    basis: perSecond > 0 ? "stated growth" : "last value",
  };
}

/** A bound of its own for several together, as they were foreseen in the past; without it their bounds add up. */
export interface JointMargin {
  /** Bytes. */
  margin(aheadSeconds: number): number;
  /** Parts that were not among them then: their own margins come on top. */
  newcomers: readonly Foreseen[];
}

/**
 * A node by its pods. `restBytes`: what it uses beside them, as it is measured; less than nothing where the node's figure says less than
 * its pods' together. `unknownPods`: of them some of whose use is in the rest.
 */
export function together(
  parts: readonly Foreseen[],
  restBytes: number,
  unknownPods: number,
  joint?: JointMargin,
): Foreseen {
  return new ForeseenTogether(parts, restBytes, unknownPods, joint);
}

class ForeseenTogether implements Foreseen {
  readonly basis: string;
  readonly #parts: readonly Foreseen[];
  readonly #restBytes: number;
  readonly #doubtBytes: number;
  readonly #joint: JointMargin | undefined;

  constructor(parts: readonly Foreseen[], restBytes: number, unknownPods: number, joint: JointMargin | undefined) {
    this.#parts = parts;
    this.#restBytes = restBytes;
    this.#doubtBytes = unknownPods > 0 || parts.length === 0 ? PRIOR_ERROR * Math.max(0, restBytes) : 0;
    this.#joint = joint;
    this.basis = `its ${parts.length} pods together`;
  }

  point(aheadSeconds: number): number {
    return Math.max(0, this.#restBytes + this.#sumOfPoints(aheadSeconds));
  }

  /** Margins add up, for errors may go together. */
  upper(aheadSeconds: number): number {
    let margins = this.#doubtBytes;
    for (const part of this.#parts) margins += part.margin(aheadSeconds);
    const points = this.#restBytes + this.#sumOfPoints(aheadSeconds);
    const added = Math.max(0, points + margins);
    if (this.#joint === undefined) return added;
    let joint = this.#joint.margin(aheadSeconds);
    for (const one of this.#joint.newcomers) joint += one.margin(aheadSeconds);
    return Math.min(added, Math.max(0, points) + joint);
  }

  margin(aheadSeconds: number): number {
    return this.upper(aheadSeconds) - this.point(aheadSeconds);
  }

  /** Squares of the margins add up, as of independent errors. */
  tested(aheadSeconds: number): number {
    let points = this.#restBytes;
    let sum = this.#restBytes;
    let squares = 0;
    for (const part of this.#parts) {
      const point = part.point(aheadSeconds);
      const bound = part.tested(aheadSeconds);
      points += point;
      sum += Math.min(point, bound);
      squares += Math.max(0, bound - point) ** 2;
    }
    const added = Math.max(0, sum + Math.sqrt(squares));
    if (this.#joint === undefined) return added;
    let joint = this.#joint.margin(aheadSeconds);
    for (const one of this.#joint.newcomers) joint += one.tested(aheadSeconds) - one.point(aheadSeconds);
    return Math.min(added, Math.max(0, points) + joint);
  }

  #sumOfPoints(aheadSeconds: number): number {
    let sum = 0;
    for (const part of this.#parts) sum += part.point(aheadSeconds);
    return sum;
  }
}

/** The bound looks at this many moments up to the horizon. */
const PLACES = 8;

/** The most that the curve reaches up to the horizon. */
export function peakOf(curve: (aheadSeconds: number) => number, horizonSeconds: number): number {
  let most = 0;
  for (let place = 1; place <= PLACES; place++) most = Math.max(most, curve((horizonSeconds * place) / PLACES));
  return most;
}
