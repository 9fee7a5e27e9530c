/** Every forecasting model, by name. Adding one touches its file and this list (and, for Auto to consider it, ./auto.ts). */
import { auto, backtestAuto } from "./auto.ts";
import { type Backtest, type BacktestPlan, backtest, presentCurve } from "./backtest.ts";
import { holt } from "./holt.ts";
import { lastValue } from "./last-value.ts";
import { linear } from "./linear.ts";
import type { Curve } from "./model.ts";
import { percentile } from "./percentile.ts";

export const FORECAST_MODELS = [lastValue, linear, holt, percentile, auto] as const;
export type ModelName = (typeof FORECAST_MODELS)[number]["name"];
export const MODEL_NAMES: readonly ModelName[] = FORECAST_MODELS.map((model) => model.name);

/** Auto shares one backtest between its candidates, where fitting it to each part of the past would repeat them. */
export function backtestNamed(name: ModelName, plan: BacktestPlan): Backtest {
  if (name === "Auto") return backtestAuto(plan);
  return backtest(modelNamed(name), plan);
}

const modelNamed = (name: ModelName) => FORECAST_MODELS.find((candidate) => candidate.name === name) ?? lastValue;

/** The curve of {@link backtestNamed} without its backtest; of Auto, which needs one, ask that. */
export function curveNamed(name: Exclude<ModelName, "Auto">, plan: BacktestPlan): Curve {
  return presentCurve(modelNamed(name), plan);
}
