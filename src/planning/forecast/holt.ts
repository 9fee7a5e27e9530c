/**
 * Holt: a smoothed level and a smoothed trend that fades with the distance (damped trend).
 *
 * Good at: growth that begins, ends or changes: it follows within a few samples.
 * Bad at: noise and outliers, which it takes for a trend for a while.
 * Source: Gardner & McKenzie (1985), Management Science 31(10), in continuous time so that steps may be irregular, as Wright
 * (1986), Management Science 32(4): a weight 1 − a per step becomes e^(−Δt/τ), and the damping Σφ^i becomes τ(1 − e^(−h/τ)).
 */
import { at } from "./history.ts";
import type { ForecastModel, Past } from "./model.ts";
import { medianStepSeconds } from "./step.ts";

/** Time constants of level and trend, in median steps of the series. */
const LEVEL_STEPS = 3;
const TREND_STEPS = 6;
/** Time constant of the damping, in horizons: at the horizon 79 % of an undamped trend's growth. */
const DAMPING_HORIZONS = 2;

export const holt: ForecastModel<"Holt"> = {
  name: "Holt",
  summary: "Memory goes on as lately, ever less so: for growth that comes and goes.",
  fit: smooth,
  ahead(level, trend, aheadSeconds, horizonSeconds) {
    const damping = DAMPING_HORIZONS * horizonSeconds;
    return level + trend * damping * (1 - Math.exp(-aheadSeconds / damping));
  },
};

/** While few samples are there, all weigh the same: the first value and slope have no more say than the others. */
function smooth({ history, first, end }: Past) {
  const { timesMs, bytes } = history;
  const step = medianStepSeconds(history, first, end);
  let level = at(bytes, first);
  let trend = 0;
  for (let index = first + 1; index < end; index++) {
    const elapsed = (at(timesMs, index) - at(timesMs, index - 1)) / 1000;
    const before = index - first;
    const levelWeight = Math.max(1 - Math.exp(-elapsed / (LEVEL_STEPS * step)), 1 / (before + 1));
    const trendWeight = Math.max(1 - Math.exp(-elapsed / (TREND_STEPS * step)), 1 / before);
    const expected = level + trend * elapsed;
    const next = expected + levelWeight * (at(bytes, index) - expected);
    trend += trendWeight * ((next - level) / elapsed - trend);
    level = next;
  }
  return { level, trend };
}
