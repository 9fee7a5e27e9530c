/** A bounded series of samples on typed arrays: sorted by time whatever the order of arrival. Bytes; milliseconds since the epoch. */
import type { Series } from "../planning/snapshot.ts";

const FIRST_CAPACITY = 16;

/**
 * Invariants: times strictly ascend; at most `maxSamples` are kept, the newest ones; of two samples for one moment the larger
 * stays. So what is kept does not depend on the order of arrival, and adding a sample again changes nothing.
 *
 * The samples lie in one piece, which slides through arrays of twice the bound: adding at the end costs O(1) on average.
 */
export class BoundedSeries {
  readonly #maxSamples: number;
  #times = new Float64Array(FIRST_CAPACITY);
  #bytes = new Float64Array(FIRST_CAPACITY);
  #start = 0;
  #end = 0;

  constructor(maxSamples: number) {
    if (!Number.isInteger(maxSamples) || maxSamples < 1) throw new RangeError(`maxSamples must be ≥ 1: ${maxSamples}`);
    this.#maxSamples = maxSamples;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  get newestAtMs(): number | undefined {
    return this.length === 0 ? undefined : this.#times[this.#end - 1];
  }

  /** Adds a sample; one that is older than a full series' oldest is dropped. */
  add(timeMs: number, bytes: number): void {
    const at = this.#position(timeMs);
    if (at < this.#end && this.#times[at] === timeMs) {
      this.#bytes[at] = Math.max(bytes, this.#bytes[at] ?? bytes);
      return;
    }
    if (this.length < this.#maxSamples) this.#insert(at, timeMs, bytes);
    else if (at > this.#start) this.#replaceOldest(at, timeMs, bytes);
  }

  /** Forgets the samples before a moment. */
  dropBefore(timeMs: number): void {
    this.#start = this.#position(timeMs);
  }

  /** A copy that later additions don't change. */
  toSeries(): Series {
    return {
      timesMs: this.#times.slice(this.#start, this.#end),
      bytes: this.#bytes.slice(this.#start, this.#end),
    };
  }

  /** Index of the first sample at or after a moment; `#end` when there is none. */
  #position(timeMs: number): number {
    let low = this.#start;
    let high = this.#end;
    if (high > low && timeMs > (this.#times[high - 1] ?? 0)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] ?? 0) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(position: number, timeMs: number, bytes: number): void {
    const at = this.#end === this.#times.length ? position - this.#makeRoom() : position;
    this.#times.copyWithin(at + 1, at, this.#end);
    this.#bytes.copyWithin(at + 1, at, this.#end);
    this.#times[at] = timeMs;
    this.#bytes[at] = bytes;
    this.#end++;
  }

  #replaceOldest(position: number, timeMs: number, bytes: number): void {
    this.#start++;
    this.#insert(position, timeMs, bytes);
  }

  /** Slides the samples to the front, into larger arrays while they fill more than half; answers how far they slid. */
  #makeRoom(): number {
    const slid = this.#start;
    const capacity = this.length * 2 > this.#times.length ? this.#times.length * 2 : this.#times.length;
    this.#times = moved(this.#times.subarray(this.#start, this.#end), capacity);
    this.#bytes = moved(this.#bytes.subarray(this.#start, this.#end), capacity);
    this.#end -= slid;
    this.#start = 0;
    return slid;
  }
}

function moved(values: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const into = new Float64Array(capacity);
  into.set(values);
  return into;
}
