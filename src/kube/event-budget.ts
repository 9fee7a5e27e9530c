/** How many events one object may cause: a burst, then a trickle, so that a loop can't fill the cluster's event store. */
import type { Clock } from "./clock.ts";

const BURST = 25;
/** One more every so many milliseconds. */
const REFILL_MS = 60_000;
const REMEMBERED = 1_000;

export class EventBudget {
  readonly #clock: Clock;
  /** Least recently used first. */
  readonly #left = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False when the object has used its budget up. */
  take(object: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#left.get(object) ?? { tokens: BURST, atMs: nowMs };
    const tokens = Math.min(BURST, known.tokens + (nowMs - known.atMs) / REFILL_MS);
    const allowed = tokens >= 1;
    this.#left.delete(object);
    this.#left.set(object, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
    const oldest = this.#left.keys().next().value;
    if (this.#left.size > REMEMBERED && oldest !== undefined) this.#left.delete(oldest);
    return allowed;
  }
}
