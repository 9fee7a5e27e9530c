/** What every forecasting model is: a name, a sentence, and a pure function from the past to a curve. One file each. */
import type { History } from "./history.ts";

/** All that a model may look at. */
export interface Past {
  history: History;
  /** Only the samples before this index are past; at least 1. */
  end: number;
  /** How far ahead the forecast is meant to be good; models may choose how far to look back by it. Positive. */
  horizonSeconds: number;
}

/** Bytes at a moment on the history's axis, not before its last past sample. Finite for finite moments. */
export type Curve = (atSeconds: number) => number;

export interface ForecastModel<Name extends string = string> {
  /** As written in a policy's `forecast.model`. */
  readonly name: Name;
  /** One sentence for `kubectl explain` and docs. */
  readonly summary: string;
  fit(past: Past): Curve;
}
