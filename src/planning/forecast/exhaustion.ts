/** When memory runs out: the moment at which a forecast reaches what may be used. Seconds from now. */
import type { Forecast } from "./forecast.ts";

/** The curve is looked at in this many places, then the crossing is narrowed down between two of them. */
const PLACES = 64;
const HALVINGS = 20;

export interface Limits {
  capacityBytes: number;
  /** What must stay free. */
  reserveBytes: number;
  /** Beyond it nothing is looked for. */
  withinSeconds: number;
}

/** Undefined: not within the time asked for. */
export interface Exhaustion {
  /** When the bound crosses: with the forecast's confidence not before this. Never after `expectedSeconds`. */
  earliestSeconds: number | undefined;
  /** When the forecast itself crosses. */
  expectedSeconds: number | undefined;
}

export function exhaustion(forecast: Forecast, { capacityBytes, reserveBytes, withinSeconds }: Limits): Exhaustion {
  const limit = capacityBytes - reserveBytes;
  const earliestSeconds = firstAbove(forecast.upper, limit, withinSeconds);
  // The bound is nowhere below the forecast: what it does not reach the forecast does not reach either.
  if (earliestSeconds === undefined) return { earliestSeconds, expectedSeconds: undefined };
  return { earliestSeconds, expectedSeconds: firstAbove(forecast.point, limit, withinSeconds) };
}

/** The first moment, to within a 2^26-th of the time asked for, from which on `curve` exceeds `limit` at a place looked at. */
export function firstAbove(
  curve: (seconds: number) => number,
  limit: number,
  withinSeconds: number,
): number | undefined {
  const above = (seconds: number) => !(curve(seconds) <= limit);
  if (above(0)) return 0;
  for (let place = 1; place <= PLACES; place++) {
    const seconds = (withinSeconds * place) / PLACES;
    if (above(seconds)) return narrowed(above, (withinSeconds * (place - 1)) / PLACES, seconds);
  }
  return undefined;
}

/** Not later than the crossing: the last moment known to lie before it. */
function narrowed(above: (seconds: number) => boolean, from: number, to: number): number {
  let [low, high] = [from, to];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (above(middle)) high = middle;
    else low = middle;
  }
  return low;
}
