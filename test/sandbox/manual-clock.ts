/** A clock that only moves when told to; what falls due is called in order, with its promises settled in between. */
import type { Clock, Timer } from "../../src/kube/clock.ts";

export class ManualClock implements Clock {
  #nowMs: number;
  #due: { atMs: number; order: number; callback: () => void }[] = [];
  #order = 0;

  constructor(startMs = Date.parse("2026-01-01T00:00:00Z")) {
    this.#nowMs = startMs;
  }

  readonly now = (): number => this.#nowMs;
  readonly monotonicMs = this.now;

  after(milliseconds: number, callback: () => void): Timer {
    const entry = { atMs: this.#nowMs + milliseconds, order: this.#order++, callback };
    this.#due.push(entry);
    return { cancel: () => (this.#due = this.#due.filter((other) => other !== entry)) };
  }

  /** Lets so much time pass. */
  async pass(milliseconds: number): Promise<void> {
    const untilMs = this.#nowMs + milliseconds;
    for (;;) {
      await settled();
      const [next] = this.#due
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (!next) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = untilMs;
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
