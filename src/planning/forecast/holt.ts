/**
 * Holt: a smoothed level and a smoothed trend that fades with the distance (damped trend).
 *
 * Good at: growth that begins, ends or changes: it follows within a few samples.
 * Bad at: noise and outliers, which it takes for a trend for a while.
 * Source: Gardner & McKenzie (1985), Management Science 31(10), in continuous time so that steps may be irregular, as Wright
 * (1986), Management Science 32(4): a weight 1 − a per step becomes e^(−Δt/τ), and the damping Σφ^i becomes τ(1 − e^(−h/τ)).
 */
import { at, type History } from "./history.ts";
import type { ForecastModel } from "./model.ts";
import { medianStepSeconds } from "./step.ts";

/** Time constants of level and trend, in median steps of the series. */
const LEVEL_STEPS = 3;
const TREND_STEPS = 6;
/** Time constant of the damping, in horizons: at the horizon 79 % of an undamped trend's growth. */
const DAMPING_HORIZONS = 2;

export const holt: ForecastModel<"Holt"> = {
  name: "Holt",
  summary: "Memory goes on as lately, ever less so: for growth that comes and goes.",
  fit({ history, end, horizonSeconds }) {
    const { level, trend } = smooth(history, end);
    const origin = at(history.seconds, end - 1);
    const damping = DAMPING_HORIZONS * horizonSeconds;
    return (atSeconds) => level + trend * damping * (1 - Math.exp((origin - atSeconds) / damping));
  },
};

/** While few samples are there, all weigh the same: the first value and slope have no more say than the others. */
function smooth(history: History, end: number): { level: number; trend: number } {
  const step = medianStepSeconds(history, end);
  let level = at(history.bytes, 0);
  let trend = 0;
  for (let index = 1; index < end; index++) {
    const elapsed = at(history.seconds, index) - at(history.seconds, index - 1);
    const levelWeight = Math.max(1 - Math.exp(-elapsed / (LEVEL_STEPS * step)), 1 / (index + 1));
    const trendWeight = Math.max(1 - Math.exp(-elapsed / (TREND_STEPS * step)), 1 / index);
    const expected = level + trend * elapsed;
    const next = expected + levelWeight * (at(history.bytes, index) - expected);
    trend += trendWeight * ((next - level) / elapsed - trend);
    level = next;
  }
  return { level, trend };
}
