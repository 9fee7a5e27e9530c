/** The memory of a node's pods together. Each follows a straight piece for a while; only those whose piece has ended are asked. */
import type { PodRun } from "./pod-run.ts";

export interface SumLine {
  bytes: number;
  /** Bytes per second from then on. */
  slope: number;
  /** The sum follows that slope until then. */
  until: number;
  /** A pod whose piece began now is above its limit. */
  limitExceeded: boolean;
}

export class PieceSum {
  #pods: PodRun[] = [];
  /** By pod: when its piece began and with how many bytes, how it goes on, and when it ends. */
  #from = new Float64Array(0);
  #bytes = new Float64Array(0);
  #slopes = new Float64Array(0);
  #ends = new Float64Array(0);

  /** Other pods, or pods that went another way. */
  reset(pods: Iterable<PodRun>): void {
    this.#pods = [...pods];
    if (this.#ends.length < this.#pods.length) this.#grow(2 * this.#pods.length);
    this.#ends.fill(Number.NEGATIVE_INFINITY);
  }

  #grow(length: number): void {
    this.#from = new Float64Array(length);
    this.#bytes = new Float64Array(length);
    this.#slopes = new Float64Array(length);
    this.#ends = new Float64Array(length);
  }

  at(at: number): SumLine {
    const line: SumLine = { bytes: 0, slope: 0, until: Number.POSITIVE_INFINITY, limitExceeded: false };
    const [from, bytes, slopes, ends] = [this.#from, this.#bytes, this.#slopes, this.#ends];
    for (let index = 0; index < this.#pods.length; index++) {
      if (at >= (ends[index] ?? 0) && this.#begin(index, at)) line.limitExceeded = true;
      const slope = slopes[index] ?? 0;
      line.bytes += (bytes[index] ?? 0) + slope * (at - (from[index] ?? 0));
      line.slope += slope;
      const end = ends[index] ?? 0;
      if (end < line.until) line.until = end;
    }
    return line;
  }

  /** True when the pod is above its limit. */
  #begin(index: number, at: number): boolean {
    const pod = this.#pods[index];
    if (pod === undefined) return false;
    const bytes = pod.bytesAt(at);
    const slope = pod.slope();
    this.#from[index] = at;
    this.#bytes[index] = bytes;
    this.#slopes[index] = slope;
    this.#ends[index] = pod.pieceEnds(at, bytes, slope);
    return pod.spec.limitBytes !== undefined && bytes > pod.spec.limitBytes;
  }
}
