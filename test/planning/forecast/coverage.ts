/** Forecasts a series as the controller would, evaluation by evaluation, and counts how often memory stayed below the bound. */
import type { Calibration } from "../../../src/planning/forecast/calibration.ts";
import { forecastSeries } from "../../../src/planning/forecast/forecast.ts";
import type { ModelName } from "../../../src/planning/forecast/models.ts";
import type { Series } from "../../../src/planning/snapshot.ts";
import { STEP_SECONDS, windowOf } from "./generated.ts";

export interface Coverage {
  covered: number;
  /** Mean of bound − memory, bytes. */
  slackBytes: number;
  /** Mean of |point − memory|, bytes. */
  errorBytes: number;
}

export function coverageOf(
  series: Series,
  options: {
    model: ModelName;
    confidence: number;
    horizonSteps: number;
    windowSamples: number;
    every?: number;
    remember?: boolean;
  },
): Coverage {
  const { model, confidence, horizonSteps, windowSamples, every = 1, remember = true } = options;
  let calibration: Calibration | undefined;
  let [count, covered, slack, error] = [0, 0, 0, 0];
  for (let now = windowSamples; now + horizonSteps < series.bytes.length; now += every) {
    const nowMs = series.timesMs[now] ?? 0;
    const seen = windowOf(series, now + 1 - windowSamples, now + 1);
    const horizonSeconds = horizonSteps * STEP_SECONDS;
    const foreseen = forecastSeries(seen, { nowMs, horizonSeconds, confidence, model, calibration });
    if (foreseen === undefined) throw new Error("a series with samples has a forecast");
    if (remember) calibration = foreseen.calibration;
    const came = series.bytes[now + horizonSteps] ?? 0;
    const upper = foreseen.upper(horizonSeconds);
    count++;
    if (came <= upper) covered++;
    slack += upper - came;
    error += Math.abs(foreseen.point(horizonSeconds) - came);
  }
  return { covered: covered / count, slackBytes: slack / count, errorBytes: error / count };
}
