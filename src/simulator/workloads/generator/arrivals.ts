/** When pods come. Pure. */
import type { Random } from "../../random.ts";
import { between } from "./distributions.ts";

export type Arrivals =
  | { pattern: "AtStart" }
  /** `atStart` of the pods are there at the start, the others come at random moments up to `over` (seconds). */
  | { pattern: "Poisson"; atStart: number; over: number }
  /** The others come in `count` bursts at random moments, each within about `spread` seconds. */
  | { pattern: "Bursts"; atStart: number; over: number; count: number; spread: number };

/** Seconds for each pod, by a function of its index and its own random numbers; `random` is for what they share. */
export function arrivalsOf(arrivals: Arrivals, random: Random): (own: Random) => number {
  if (arrivals.pattern === "AtStart") return () => 0;
  const { atStart, over } = arrivals;
  const later = arrivals.pattern === "Bursts" ? burstMoment(arrivals, random) : (own: Random) => between(0, over, own);
  return (own) => (own.next() < atStart ? 0 : Math.round(Math.min(over, later(own))));
}

/** Given how many they are, the arrivals of a Poisson process are independent and uniform; so are bursts here. */
function burstMoment(bursts: Extract<Arrivals, { pattern: "Bursts" }>, random: Random): (own: Random) => number {
  const moments = Array.from({ length: bursts.count }, () => between(0, bursts.over, random));
  return (own) => {
    const moment = moments[Math.floor(own.next() * moments.length)] ?? 0;
    return moment - bursts.spread * Math.log(1 - own.next());
  };
}
