/** How far a series can plausibly go: no forecast leaves its range faster than it ever rose or fell over a sustained time. */
import { at, type History } from "./history.ts";

/** For each sample what the samples up to and including it say: bytes, and bytes per second, not negative. May be longer than the series. */
export interface Envelope {
  readonly highest: Float64Array;
  readonly lowest: Float64Array;
  readonly rise: Float64Array;
  readonly fall: Float64Array;
}

const spaceFor = (count: number): Envelope => ({
  highest: new Float64Array(count),
  lowest: new Float64Array(count),
  rise: new Float64Array(count),
  fall: new Float64Array(count),
});

// Used anew each time; grows with the longest series.
let space = spaceFor(256);

/**
 * `sustainedSeconds`: rates are taken over the shortest stretch at least as long, at every sample. Widens with every sample. Good until another is
 * asked for.
 */
export function envelopeOf({ timesMs, bytes }: History, sustainedSeconds: number): Envelope {
  const count = timesMs.length;
  if (count > space.highest.length) space = spaceFor(2 * count);
  const { highest, lowest, rise, fall } = space;
  const sustainedMs = sustainedSeconds * 1000;
  let most = at(bytes, 0);
  let least = most;
  let fastestRise = 0;
  let fastestFall = 0;
  let from = 0;
  for (let index = 0; index < count; index++) {
    const time = at(timesMs, index);
    const value = at(bytes, index);
    while (from + 1 < index && at(timesMs, from + 1) <= time - sustainedMs) from++;
    if (from < index && at(timesMs, from) <= time - sustainedMs) {
      const rate = (value - at(bytes, from)) / ((time - at(timesMs, from)) / 1000);
      if (rate > fastestRise) fastestRise = rate;
      if (-rate > fastestFall) fastestFall = -rate;
    }
    if (value > most) most = value;
    if (value < least) least = value;
    highest[index] = most;
    lowest[index] = least;
    rise[index] = fastestRise;
    fall[index] = fastestFall;
  }
  return space;
}

/** `bytes`, foreseen `aheadSeconds` after the sample `last`, kept within what the samples up to it make plausible, and not negative. */
export function within(envelope: Envelope, last: number, aheadSeconds: number, bytes: number): number {
  const most = at(envelope.highest, last) + at(envelope.rise, last) * aheadSeconds;
  const least = at(envelope.lowest, last) - at(envelope.fall, last) * aheadSeconds;
  return Math.max(0, Math.min(most, Math.max(least, bytes)));
}

/** As {@link within}, of the sample `last`; good for ever. */
export function withinFrom(envelope: Envelope, last: number): (aheadSeconds: number, bytes: number) => number {
  const [highest, lowest] = [at(envelope.highest, last), at(envelope.lowest, last)];
  const [rise, fall] = [at(envelope.rise, last), at(envelope.fall, last)];
  return (aheadSeconds, bytes) =>
    Math.max(0, Math.min(highest + rise * aheadSeconds, Math.max(lowest - fall * aheadSeconds, bytes)));
}
