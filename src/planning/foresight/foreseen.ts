/** What is foreseen of one node or pod, wherever it is known from. Bytes over seconds from now. */

import type { Calibration } from "../forecast/calibration.ts";
import { type Forecast, type ForecastOptions, forecastHistory } from "../forecast/forecast.ts";
import { type History, spanSeconds } from "../forecast/history.ts";
import type { Series } from "../snapshot.ts";

export interface Foreseen extends Forecast {
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

/** `note` is given the calibration once a bound is asked for. */
export function ofHistory(
  history: History,
  options: ForecastOptions,
  note: (calibration: Calibration) => void,
): Foreseen {
  const forecast = forecastHistory(history, options);
  const { point, model } = forecast;
  const upper = (aheadSeconds: number) => {
    note(forecast.calibration);
    return forecast.upper(aheadSeconds);
  };
  const lastBytes = history.bytes.at(-1) ?? 0;
  const tested = (aheadSeconds: number) => {
    const horizons = spanSeconds(history) / options.horizonSeconds;
    if (horizons < FEWEST_HORIZONS_TO_GROW) return lastBytes;
    return (horizons >= 1 && forecast.tests >= FEWEST_TESTS ? upper : point)(aheadSeconds);
  };
  return { point, upper, tested, basis: model };
}

/** A future that is known is the forecast, without a margin; before its first and after its last moment it stays level. */
export function ofFuture(series: Series, nowMs: number): Foreseen | undefined {
  const { timesMs, bytes } = series;
  const length = Math.min(timesMs.length, bytes.length);
  if (length === 0 || !isPossible(series, length)) return undefined;
  const point = (aheadSeconds: number) => valueAt(timesMs, bytes, length, nowMs + Math.max(0, aheadSeconds) * 1000);
  return { point, upper: point, tested: point, basis: "known future" };
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
  return {
    point,
    upper: (aheadSeconds) => point(aheadSeconds) + PRIOR_ERROR * usedBytes,
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
  const doubtBytes = unknownPods > 0 || parts.length === 0 ? PRIOR_ERROR * Math.max(0, restBytes) : 0;
  const point = (aheadSeconds: number) =>
    Math.max(
      0,
      parts.reduce((sum, part) => sum + part.point(aheadSeconds), restBytes),
    );
  const orJointly = (added: Foreseen["upper"], of: "upper" | "tested"): Foreseen["upper"] =>
    joint === undefined
      ? added
      : (aheadSeconds) => Math.min(added(aheadSeconds), point(aheadSeconds) + jointly(joint, aheadSeconds, of));
  return {
    point,
    upper: orJointly((aheadSeconds) => added(parts, restBytes + doubtBytes, aheadSeconds, "upper"), "upper"),
    tested: orJointly((aheadSeconds) => added(parts, restBytes, aheadSeconds, "tested"), "tested"),
    basis: `its ${parts.length} pods together`,
  };
}

/** Margins add up for the bound, for errors may go together; for what a move may rest on their squares do, as of independent errors. */
function added(parts: readonly Foreseen[], restBytes: number, aheadSeconds: number, of: "upper" | "tested"): number {
  let [sum, margins, squares] = [restBytes, 0, 0];
  for (const part of parts) {
    const [point, bound] = [part.point(aheadSeconds), part[of](aheadSeconds)];
    const margin = Math.max(0, bound - point);
    sum += Math.min(point, bound);
    margins += margin;
    squares += margin ** 2;
  }
  return Math.max(0, sum + (of === "upper" ? margins : Math.sqrt(squares)));
}

function jointly({ margin, newcomers }: JointMargin, aheadSeconds: number, of: "upper" | "tested"): number {
  return newcomers.reduce((sum, one) => sum + one[of](aheadSeconds) - one.point(aheadSeconds), margin(aheadSeconds));
}

/** The bound looks at this many moments up to the horizon. */
const PLACES = 8;

/** The most that the curve reaches up to the horizon. */
export function peakOf(curve: (aheadSeconds: number) => number, horizonSeconds: number): number {
  let most = 0;
  for (let place = 1; place <= PLACES; place++) most = Math.max(most, curve((horizonSeconds * place) / PLACES));
  return most;
}
