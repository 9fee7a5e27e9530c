/** A clock that goes only when a test says so; its wall clock can be set, as an administrator or NTP does. */
import type { Clock, Timer } from "../../src/kube/clock.ts";

export class FakeClock implements Clock {
  #nowMs = 0;
  #wallAheadMs: number;
  #timers: { atMs: number; callback: () => void }[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallAheadMs = startMs;
  }

  now(): number {
    return this.#wallAheadMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Sets the wall clock forward by this much (back, if negative). Timers and durations go on as before. */
  stepWall(milliseconds: number): void {
    this.#wallAheadMs += milliseconds;
  }

  after(milliseconds: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + milliseconds, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass: calls what falls due, in order, and lets promises settle in between. */
  async advance(milliseconds: number): Promise<void> {
    const endMs = this.#nowMs + milliseconds;
    await settle();
    for (let next = this.#nextBy(endMs); next; next = this.#nextBy(endMs)) {
      const due = next;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #nextBy(endMs: number): { atMs: number; callback: () => void } | undefined {
    const due = this.#timers.filter((timer) => timer.atMs <= endMs);
    return due.sort((a, b) => a.atMs - b.atMs)[0];
  }
}

/** Lets every promise that can settle without I/O do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
