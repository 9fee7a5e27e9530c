/** The last samples of a series in one piece: planning is handed the piece itself, never a copy. */
import type { Series } from "../../planning/snapshot.ts";

export class SlidingSeries {
  readonly #most: number;
  /** Twice as long as what is kept, so that it has to be slid back only once in a while. */
  #times: Float64Array;
  #bytes: Float64Array;
  #end = 0;

  constructor(most: number) {
    this.#most = most;
    this.#times = new Float64Array(2 * most);
    this.#bytes = new Float64Array(2 * most);
  }

  /** In order of time. */
  push(timeMs: number, bytes: number): void {
    if (this.#end === this.#times.length) this.#slideBack();
    this.#times[this.#end] = timeMs;
    this.#bytes[this.#end] = bytes;
    this.#end += 1;
  }

  #slideBack(): void {
    const from = this.#end - this.#most;
    this.#times.copyWithin(0, from);
    this.#bytes.copyWithin(0, from);
    this.#end = this.#most;
  }

  /** Good until the next push. Without those after `untilMs`. */
  until(untilMs: number): Series {
    let end = this.#end;
    while (end > 0 && (this.#times[end - 1] ?? 0) > untilMs) end -= 1;
    const from = Math.max(0, end - this.#most);
    return { timesMs: this.#times.subarray(from, end), bytes: this.#bytes.subarray(from, end) };
  }
}
