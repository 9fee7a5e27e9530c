/**
 * How far a series can plausibly go: no forecast leaves its range faster than it ever rose or fell over a sustained time. Keeps every
 * model from extrapolating noise, and makes a bound that proves a node safe without a forecast (./safe-bound.ts).
 */
import { at, type History } from "./history.ts";

/** For each index what the samples up to and including it say. Bytes, and bytes per second, not negative. */
export interface Envelope {
  highest: Float64Array;
  lowest: Float64Array;
  rise: Float64Array;
  fall: Float64Array;
}

/** `sustainedSeconds`: rates are taken over the shortest stretch at least as long, at every sample. Grows with every sample. */
export function envelopeOf({ seconds, bytes }: History, sustainedSeconds: number): Envelope {
  const count = seconds.length;
  const [highest, lowest] = [new Float64Array(count), new Float64Array(count)];
  const [rise, fall] = [new Float64Array(count), new Float64Array(count)];
  let [most, least, fastestRise, fastestFall] = [at(bytes, 0), at(bytes, 0), 0, 0];
  let from = 0;
  for (let index = 0; index < count; index++) {
    const time = at(seconds, index);
    while (from + 1 < index && at(seconds, from + 1) <= time - sustainedSeconds) from++;
    if (from < index && at(seconds, from) <= time - sustainedSeconds) {
      const rate = (at(bytes, index) - at(bytes, from)) / (time - at(seconds, from));
      fastestRise = Math.max(fastestRise, rate);
      fastestFall = Math.max(fastestFall, -rate);
    }
    highest[index] = most = Math.max(most, at(bytes, index));
    lowest[index] = least = Math.min(least, at(bytes, index));
    rise[index] = fastestRise;
    fall[index] = fastestFall;
  }
  return { highest, lowest, rise, fall };
}

/** `bytes`, foreseen `aheadSeconds` after the sample `last`, kept within what the samples up to it make plausible, and not negative. */
export function within(envelope: Envelope, last: number, aheadSeconds: number, bytes: number): number {
  const most = at(envelope.highest, last) + at(envelope.rise, last) * aheadSeconds;
  const least = at(envelope.lowest, last) - at(envelope.fall, last) * aheadSeconds;
  return Math.max(0, Math.min(most, Math.max(least, bytes)));
}
