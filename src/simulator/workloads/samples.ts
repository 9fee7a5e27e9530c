/** Samples as they are read, in any order; one for each moment afterwards. */
export class Samples {
  readonly #timesMs: number[] = [];
  readonly #bytes: number[] = [];
  #ascending = true;

  add(timeMs: number, bytes: number): void {
    if (timeMs <= (this.#timesMs.at(-1) ?? -Infinity)) this.#ascending = false;
    this.#timesMs.push(timeMs);
    this.#bytes.push(bytes);
  }

  get length(): number {
    return this.#timesMs.length;
  }

  /** Ascending; of several samples of one moment the greatest. */
  series(): { timesMs: Float64Array; bytes: Float64Array } {
    const [times, bytes] = [this.#timesMs, this.#bytes];
    if (this.#ascending) return { timesMs: Float64Array.from(times), bytes: Float64Array.from(bytes) };
    const greatest = new Map<number, number>();
    for (const [index, timeMs] of times.entries()) {
      greatest.set(timeMs, Math.max(bytes[index] ?? 0, greatest.get(timeMs) ?? 0));
    }
    const sorted = [...greatest].sort(([a], [b]) => a - b);
    return {
      timesMs: Float64Array.from(sorted, ([timeMs]) => timeMs),
      bytes: Float64Array.from(sorted, ([, value]) => value),
    };
  }
}
