/** How far a series can plausibly go: no forecast leaves its range faster than it ever rose or fell over a sustained time. */
import { at, type History } from "./history.ts";

/** For each sample what the samples up to and including it say: bytes, and bytes per second, not negative. */
export interface Envelope {
  highest: number[];
  lowest: number[];
  rise: number[];
  fall: number[];
}

/** `sustainedSeconds`: rates are taken over the shortest stretch at least as long, at every sample. Widens with every sample. */
export function envelopeOf({ timesMs, bytes }: History, sustainedSeconds: number): Envelope {
  const count = timesMs.length;
  const sustainedMs = sustainedSeconds * 1000;
  const [highest, lowest] = [new Array<number>(count), new Array<number>(count)];
  const [rise, fall] = [new Array<number>(count), new Array<number>(count)];
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
  return { highest, lowest, rise, fall };
}

/** The last sample's part of an envelope. */
export function endOf({ highest, lowest, rise, fall }: Envelope): Envelope {
  return { highest: highest.slice(-1), lowest: lowest.slice(-1), rise: rise.slice(-1), fall: fall.slice(-1) };
}

/** `bytes`, foreseen `aheadSeconds` after the sample `last`, kept within what the samples up to it make plausible, and not negative. */
export function within(
  { highest, lowest, rise, fall }: Envelope,
  last: number,
  aheadSeconds: number,
  bytes: number,
): number {
  const most = (highest[last] ?? 0) + (rise[last] ?? 0) * aheadSeconds;
  const least = (lowest[last] ?? 0) - (fall[last] ?? 0) * aheadSeconds;
  return Math.max(0, Math.min(most, Math.max(least, bytes)));
}
