/** The network between simulated nodes: how fast bytes go from one to the other, and which node is cut off. */
import type { Clock } from "../../kube/clock.ts";

/** A change of a link's speed shows within this time. */
const STEP_MS = 250;

export interface Way {
  from: string;
  to: string;
  /** For whose sake. */
  move: string;
}

export class Links {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #limits = new Map<string, number>();
  readonly #cutOff = new Set<string>();
  readonly #sent = new Map<string, number>();

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Bytes per second from now on; undefined: as fast as at first. */
  limit(from: string, to: string, bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === undefined) this.#limits.delete(`${from} ${to}`);
    else this.#limits.set(`${from} ${to}`, bytesPerSecond);
  }

  /** Nothing reaches the node or leaves it until it is undone. */
  cutOff(node: string, isCutOff: boolean): void {
    if (isCutOff) this.#cutOff.add(node);
    else this.#cutOff.delete(node);
  }

  connects(from: string, to: string): boolean {
    return !this.#cutOff.has(from) && !this.#cutOff.has(to);
  }

  rate(from: string, to: string): number {
    return this.connects(from, to) ? (this.#limits.get(`${from} ${to}`) ?? this.#bytesPerSecond) : 0;
  }

  /** Bytes that have come over for a move. */
  sent(move: string): number {
    return this.#sent.get(move) ?? 0;
  }

  /** Resolves when all bytes are over; a link that is cut off is waited for. Rejects with the signal's reason. */
  async send(way: Way, bytes: number, signal: AbortSignal): Promise<void> {
    let left = bytes;
    while (left > 0) {
      const rate = this.rate(way.from, way.to);
      const stepMs = Math.min(STEP_MS, rate > 0 ? (1000 * left) / rate : STEP_MS);
      await this.#pass(stepMs, signal);
      const sent = Math.min(left, (rate * stepMs) / 1000);
      left = left - sent < 1 ? 0 : left - sent;
      this.#sent.set(way.move, this.sent(way.move) + sent);
    }
  }

  #pass(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const stop = () => {
        timer.cancel();
        reject(signal.reason);
      };
      const timer = this.#clock.after(milliseconds, () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
