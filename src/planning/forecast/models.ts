/** Every forecasting model, by name. Adding one touches its file and this list (and, for Auto to consider it, ./auto.ts). */
import { auto, backtestAuto } from "./auto.ts";
import { type BacktestPlan, backtest, ErrorSpace, type Errors } from "./backtest.ts";
import type { Fits, SeriesFits } from "./fits.ts";
import { holt } from "./holt.ts";
import { lastValue } from "./last-value.ts";
import { linear } from "./linear.ts";
import { percentile } from "./percentile.ts";

const MODELS = [lastValue, linear, holt, percentile] as const;
export const FORECAST_MODELS = [...MODELS, auto] as const;
export type ModelName = (typeof FORECAST_MODELS)[number]["name"];
export const MODEL_NAMES: readonly ModelName[] = FORECAST_MODELS.map((model) => model.name);

export const modelNamed = (name: Exclude<ModelName, "Auto">) =>
  MODELS.find((model) => model.name === name) ?? lastValue;

const SPACE = new ErrorSpace();

/** The errors of a model's own past, until others are asked for, and the fits of the model that foresees: for Auto of the one it chose. */
export function backtestNamed(name: ModelName, plan: BacktestPlan, fits: SeriesFits): { errors: Errors; chosen: Fits } {
  if (name === "Auto") return backtestAuto(plan, fits);
  const chosen = fits.of(modelNamed(name), plan.history);
  return { errors: backtest(chosen, plan, SPACE), chosen };
}
