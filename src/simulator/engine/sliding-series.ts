/** The last samples of a series in one piece: planning is handed the piece itself, never a copy. */
import type { Series } from "../../planning/snapshot.ts";

const FIRST_LENGTH = 16;

/** The arrays grow up to twice what is kept, so that samples have to be slid back only once in a while. */
export class SlidingSeries {
  readonly #most: number;
  #times = new Float64Array(FIRST_LENGTH);
  #bytes = new Float64Array(FIRST_LENGTH);
  #end = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** In order of time. */
  push(timeMs: number, bytes: number): void {
    if (this.#end === this.#times.length) this.#makeRoom();
    this.#times[this.#end] = timeMs;
    this.#bytes[this.#end] = bytes;
    this.#end += 1;
  }

  #makeRoom(): void {
    const from = Math.max(0, this.#end - this.#most);
    const length = Math.min(2 * this.#end, 2 * this.#most);
    const [times, bytes] = [this.#times, this.#bytes];
    if (length > times.length) [this.#times, this.#bytes] = [new Float64Array(length), new Float64Array(length)];
    this.#times.set(times.subarray(from));
    this.#bytes.set(bytes.subarray(from));
    this.#end -= from;
  }

  /** Good until the next push. Without those after `untilMs`. */
  until(untilMs: number): Series {
    let end = this.#end;
    while (end > 0 && (this.#times[end - 1] ?? 0) > untilMs) end -= 1;
    const from = Math.max(0, end - this.#most);
    return { timesMs: this.#times.subarray(from, end), bytes: this.#bytes.subarray(from, end) };
  }
}
