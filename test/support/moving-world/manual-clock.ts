/** A clock that stands still until a test moves it. */
import type { Clock } from "../../../src/kube/clock.ts";

export class ManualClock implements Clock {
  #nowMs = Date.parse("2026-01-01T00:00:00Z");
  readonly #timers = new Map<number, { atMs: number; callback: () => void }>();
  #next = 0;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(milliseconds: number, callback: () => void) {
    const id = this.#next++;
    this.#timers.set(id, { atMs: this.#nowMs + milliseconds, callback });
    return { cancel: () => void this.#timers.delete(id) };
  }

  advance(milliseconds: number): void {
    this.#nowMs += milliseconds;
    for (const [id, { atMs, callback }] of this.#timers) {
      if (atMs > this.#nowMs) continue;
      this.#timers.delete(id);
      callback();
    }
  }
}
