/**
 * A clock that jumps to the next timer as soon as nothing is left to do: minutes of a cluster pass in the time that its work takes. All
 * work must happen in this process; requests over loopback count as work until they are answered.
 */
import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../../../src/kube/clock.ts";

interface Entry {
  atMs: number;
  order: number;
  callback: () => void;
  cancelled: boolean;
}

/** After this many turns of the event loop without an event, nothing is under way. */
const QUIET_TURNS = 4;

export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #due: Entry[] = [];

  /** The past: certificates are made by this clock and checked by the real one. */
  constructor(startMs = Date.now() - 86_400_000) {
    this.#nowMs = startMs;
  }

  readonly now = (): number => this.#nowMs;
  readonly monotonicMs = this.now;

  after(milliseconds: number, callback: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, milliseconds), order: this.#order++, callback, cancelled: false };
    this.#insert(entry);
    return { cancel: () => (entry.cancelled = true) };
  }

  /** Lets time pass until it is so; false when it is not so within the limit. */
  async until(isSo: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.#nowMs + limitMs;
    for (;;) {
      await quiet();
      if (isSo()) return true;
      const next = this.#due.shift();
      if (!next || next.atMs > endMs) {
        if (next) this.#insert(next);
        this.#nowMs = endMs;
        return isSo();
      }
      if (next.cancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
  }

  async pass(milliseconds: number): Promise<void> {
    await this.until(() => false, milliseconds);
  }

  /** Keeps the entries in the order in which they fall due. */
  #insert(entry: Entry): void {
    let at = this.#due.length;
    while (at > 0 && isLater(this.#due[at - 1], entry)) at--;
    this.#due.splice(at, 0, entry);
  }
}

const isLater = (a: Entry | undefined, b: Entry): boolean =>
  a !== undefined && (a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order));

/** Resolves when the event loop has turned several times without an event. */
async function quiet(): Promise<void> {
  let events = -1;
  for (let turns = 0; turns < QUIET_TURNS; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const { events: seen } = performance.nodeTiming.uvMetricsInfo;
    turns = seen === events ? turns + 1 : 0;
    events = seen;
  }
}
