/**
 * As much of a series as forecasting needs: of each stretch of the clock the first sample, and the newest besides. Forecasts thin what they are given
 * anyway, and the time that they take grows with every sample. Which samples stay depends on their times alone, not on when anybody looks.
 */
import type { Series } from "../../planning/snapshot.ts";

const FIRST_LENGTH = 16;

/** Samples lie in one piece: planning is handed the piece itself, never a copy. It slides through arrays of twice what is kept. */
export class ThinnedSeries {
  /** Stretches that it reaches back. */
  readonly #most: number;
  readonly #stretchMs: number;
  #times = new Float64Array(FIRST_LENGTH);
  #bytes = new Float64Array(FIRST_LENGTH);
  /** Those that stay; right behind them the newest, if it does not. */
  #stay = 0;
  #end = 0;
  #lastStretch = Number.NaN;

  constructor(most: number, stretchMs: number) {
    this.#most = most;
    this.#stretchMs = stretchMs;
  }

  /** In order of time. */
  push(timeMs: number, bytes: number): void {
    if (this.#stay === this.#times.length) this.#makeRoom();
    this.#times[this.#stay] = timeMs;
    this.#bytes[this.#stay] = bytes;
    this.#end = this.#stay + 1;
    const stretch = this.stretchOf(timeMs);
    if (stretch !== this.#lastStretch) this.#stay += 1;
    this.#lastStretch = stretch;
  }

  stretchOf(timeMs: number): number {
    return Math.floor(timeMs / this.#stretchMs);
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

  /** What is seen of it at a moment, not before that of the newest sample. Good until the next push. */
  view(timeMs: number): Series {
    const oldest = this.stretchOf(timeMs) - this.#most;
    let from = Math.max(0, this.#end - this.#most);
    while (from < this.#end && this.stretchOf(this.#times[from] ?? 0) < oldest) from++;
    return { timesMs: this.#times.subarray(from, this.#end), bytes: this.#bytes.subarray(from, this.#end) };
  }
}
