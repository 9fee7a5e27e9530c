/**
 * A bound above every model's bound, without fitting one: a node whose room lies above it needs no forecast, and the decision is the
 * same as with one.
 *
 * Why it holds: a curve stays within the envelope (./envelope.ts), so h seconds after the newest sample it is at most highest + rise·h, and an
 * error is at most its sample minus the envelope's lower edge at its origin. A margin does not descend as its errors or its lead grow,
 * and is widest at alpha 0.
 */
import { errorsAtMost } from "./backtest.ts";
import { type ForecastOptions, planForecast } from "./forecast.ts";
import { at, type History } from "./history.ts";
import { marginCurve } from "./margin.ts";

/** Bytes that `forecastHistory(history, options).upper` does not exceed up to the horizon, whatever the model. */
export function boundWithoutForecast(history: History, options: ForecastOptions): number {
  const { plan, key } = planForecast(history, options);
  const last = history.seconds.length - 1;
  // From the newest sample, which may carry a time slightly ahead of now.
  const lead = key.horizonSeconds - Math.min(0, at(history.seconds, last));
  const curve = at(plan.envelope.highest, last) + at(plan.envelope.rise, last) * lead;
  const widest = { confidence: key.confidence, alpha: 0, lastBytes: at(history.bytes, last) };
  return curve + marginCurve(plan, errorsAtMost(plan), widest)(lead);
}
