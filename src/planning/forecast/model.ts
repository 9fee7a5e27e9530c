/** What every forecasting model is: a name, a sentence, and a pure function from the past to a curve. One file each. */
import type { History } from "./history.ts";

/** All that a model may look at: the samples from `first` to `end`, exclusive; at least one. */
export interface Past {
  history: History;
  first: number;
  end: number;
  /** How far ahead the forecast is meant to be good. Positive. */
  horizonSeconds: number;
}

/** What a model makes of a past. Both are finite, and depend on nothing but the samples' bytes and how far they lie apart. */
export interface Fit {
  /** Bytes, at the past's last sample. */
  level: number;
  /** Bytes per second. */
  trend: number;
}

/** Bytes so many seconds after a past's last sample, not negative ones. Finite. */
export type Curve = (aheadSeconds: number) => number;

export interface ForecastModel<Name extends string = string> {
  /** As written in a policy's `forecast.model`. */
  readonly name: Name;
  /** One sentence for `kubectl explain` and docs. */
  readonly summary: string;
  fit(past: Past): Fit;
  /** The curve of a fit: bytes so many seconds after the past's last sample. */
  ahead(level: number, trend: number, aheadSeconds: number, horizonSeconds: number): number;
}

export const straightAhead: ForecastModel["ahead"] = (level, trend, aheadSeconds) => level + trend * aheadSeconds;
