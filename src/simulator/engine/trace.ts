/** Reading a pod's memory off its trace. Seconds are of the pod's own work. */
import type { Trace } from "../scenario.ts";

/** From a guess this far off the place is found by stepping, from farther off by halving. */
const STEPS = 8;

/** Index of the last point at or before `work`; 0 before the first. `guess`: where it was the last time. */
export function locate({ seconds }: Trace, work: number, guess: number): number {
  const last = seconds.length - 1;
  let index = Math.min(guess, last);
  for (let step = 0; step < STEPS; step++) {
    if (index > 0 && timeOf(seconds, index) > work) index -= 1;
    else if (index < last && timeOf(seconds, index + 1) <= work) index += 1;
    else return index;
  }
  return halved(seconds, work);
}

function halved(seconds: Float64Array, work: number): number {
  let [low, high] = [0, seconds.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (timeOf(seconds, middle) <= work) low = middle;
    else high = middle;
  }
  return low;
}

/** Bytes after so much work, `index` being what {@link locate} says of it. */
export function bytesAt(trace: Trace, work: number, index: number): number {
  return (trace.bytes[index] ?? 0) + slopeFrom(trace, index) * Math.max(0, work - timeOf(trace.seconds, index));
}

/** Bytes per second from this point to the next; 0 after the last. */
export function slopeFrom({ seconds, bytes }: Trace, index: number): number {
  const next = index + 1;
  if (next >= seconds.length) return 0;
  return ((bytes[next] ?? 0) - (bytes[index] ?? 0)) / (timeOf(seconds, next) - timeOf(seconds, index));
}

/** Memory over time from the beginning to `work`, in byte-seconds. */
export function byteSecondsUntil(trace: Trace, work: number): number {
  const last = locate(trace, work, 0);
  let sum = 0;
  for (let index = 0; index < last; index++) {
    const lasts = timeOf(trace.seconds, index + 1) - timeOf(trace.seconds, index);
    sum += (((trace.bytes[index] ?? 0) + (trace.bytes[index + 1] ?? 0)) / 2) * lasts;
  }
  const rest = work - timeOf(trace.seconds, last);
  return sum + (((trace.bytes[last] ?? 0) + bytesAt(trace, work, last)) / 2) * rest;
}

/** Every index is within the ends; one that is not would be 0, and slow down every other. */
function timeOf(seconds: Float64Array, index: number): number {
  return seconds[index] ?? 0;
}
