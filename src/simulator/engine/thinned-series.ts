/**
 * As much of a series as forecasting needs: samples at least so far apart, and the newest besides. Forecasts thin what they are given anyway, and
 * the time that they take grows with every sample.
 */
import type { Series } from "../../planning/snapshot.ts";

const FIRST_LENGTH = 16;

/** Samples lie in one piece: planning is handed the piece itself, never a copy. It slides through arrays of twice what is kept. */
export class ThinnedSeries {
  readonly #most: number;
  readonly #spacingMs: number;
  #times = new Float64Array(FIRST_LENGTH);
  #bytes = new Float64Array(FIRST_LENGTH);
  /** Those that stay; right behind them the newest, if it does not. */
  #stay = 0;
  #end = 0;

  constructor(most: number, spacingMs: number) {
    this.#most = most;
    this.#spacingMs = spacingMs;
  }

  /** In order of time. */
  push(timeMs: number, bytes: number): void {
    if (this.#stay === this.#times.length) this.#makeRoom();
    const last = this.#stay === 0 ? Number.NEGATIVE_INFINITY : (this.#times[this.#stay - 1] ?? 0);
    this.#times[this.#stay] = timeMs;
    this.#bytes[this.#stay] = bytes;
    this.#end = this.#stay + 1;
    if (timeMs - last >= this.#spacingMs) this.#stay += 1;
  }

  #makeRoom(): void {
    const from = Math.max(0, this.#stay - this.#most);
    const length = Math.min(2 * this.#stay, 2 * this.#most);
    const [times, bytes] = [this.#times, this.#bytes];
    if (length > times.length) [this.#times, this.#bytes] = [new Float64Array(length), new Float64Array(length)];
    this.#times.set(times.subarray(from, this.#stay));
    this.#bytes.set(bytes.subarray(from, this.#stay));
    this.#stay -= from;
  }

  /** Good until the next push. */
  view(): Series {
    const from = Math.max(0, this.#end - this.#most);
    return { timesMs: this.#times.subarray(from, this.#end), bytes: this.#bytes.subarray(from, this.#end) };
  }
}
