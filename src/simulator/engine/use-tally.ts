/** Memory used, summed up over time. In between two notes it is taken to change along a straight line. */
export class UseTally {
  /** Above it counts as above reserve. */
  readonly #lineBytes: number;
  #atSeconds = 0;
  #bytes = 0;
  peakBytes = 0;
  /** The highest since whoever records it set it back. */
  recentPeakBytes = 0;
  byteSeconds = 0;
  aboveLineByteSeconds = 0;

  constructor(lineBytes: number) {
    this.#lineBytes = lineBytes;
  }

  note(atSeconds: number, bytes: number): void {
    const lasted = atSeconds - this.#atSeconds;
    if (lasted > 0) {
      this.byteSeconds += ((this.#bytes + bytes) / 2) * lasted;
      this.aboveLineByteSeconds += areaAbove(this.#bytes - this.#lineBytes, bytes - this.#lineBytes) * lasted;
    }
    this.#atSeconds = atSeconds;
    this.#bytes = bytes;
    if (bytes > this.recentPeakBytes) this.recentPeakBytes = bytes;
    if (bytes > this.peakBytes) this.peakBytes = bytes;
  }
}

/** Of the straight line from `a` to `b` over one second, the area above 0. */
function areaAbove(a: number, b: number): number {
  if (a >= 0 && b >= 0) return (a + b) / 2;
  if (a <= 0 && b <= 0) return 0;
  const top = Math.max(a, b);
  return (top * top) / (2 * Math.abs(b - a));
}
