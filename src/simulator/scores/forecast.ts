/** How good the forecasts were that a policy went by. */
import { GIB, type Score } from "./score.ts";

export const FORECAST_SCORES: readonly Score[] = [
  {
    name: "forecastCoverage",
    title: "Coverage",
    unit: "%",
    better: "Neither",
    doc: "How often a node's memory stayed at or below what was foreseen as its bound: to be near the policy's confidence. Only nodes count for which a forecast was made, not those that a cheap bound proved safe.",
    of: ({ forecast }) =>
      forecast === undefined || forecast.foreseen === 0 ? null : (forecast.covered / forecast.foreseen) * 100,
  },
  {
    name: "pinballLossGib",
    title: "Pinball loss",
    unit: "GiB",
    better: "Lower",
    doc: "Mean pinball loss of the bound at the policy's confidence: too high costs a little, too low much.",
    of: ({ forecast }) =>
      forecast === undefined || forecast.foreseen === 0 ? null : forecast.pinballByteSum / forecast.foreseen / GIB,
  },
];
