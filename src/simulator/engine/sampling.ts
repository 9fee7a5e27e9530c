/** When samples are taken, when they are seen, and which are lost. A sample has an index: how many intervals after the start. */
import { randomOf } from "../random.ts";
import type { Conditions } from "../scenario.ts";

export class Sampling {
  /** The newest sample that can be seen now; negative: none. */
  seen = -1;
  readonly #intervalMs: number;
  readonly #delayMs: number;
  readonly #lossRate: number;
  readonly #seed: number;

  constructor({ intervalSeconds, delaySeconds, lossRate }: Conditions["metrics"], seed: number) {
    this.#intervalMs = Math.round(intervalSeconds * 1000);
    this.#delayMs = Math.round(delaySeconds * 1000);
    this.#lossRate = lossRate;
    this.#seed = seed;
  }

  /** Samples up to the one taken the delay ago are seen from now on. */
  advance(at: number): void {
    this.seen = Math.floor((Math.round(at * 1000) - this.#delayMs) / this.#intervalMs);
  }

  get intervalSeconds(): number {
    return this.#intervalMs / 1000;
  }

  secondsOf(index: number): number {
    return (index * this.#intervalMs) / 1000;
  }

  /** The first sample not before a moment. */
  firstFrom(at: number): number {
    return Math.ceil(Math.round(at * 1000) / this.#intervalMs);
  }

  /** Which samples of this pod or node are lost, whatever else is. */
  lossOf(key: string): (index: number) => boolean {
    if (this.#lossRate <= 0) return () => false;
    const salt = Math.floor(randomOf(this.#seed, "loss", key).next() * 2 ** 32);
    return (index) => spread(salt ^ Math.imul(index + 1, 0x9e3779b1)) < this.#lossRate * 2 ** 32;
  }
}

/** MurmurHash3's finaliser: neighbours end up far apart. */
function spread(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
