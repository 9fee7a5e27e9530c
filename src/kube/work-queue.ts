/**
 * A queue of keys. Invariants: a key is handled by one handler at a time; a key added while it is being handled is
 * handled once more afterwards; several keys are handled side by side, in the order in which they became due. An urgent key
 * neither waits for a free worker nor takes one from the others.
 */
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import { KubeError } from "./client.ts";
import type { Clock, Timer } from "./clock.ts";

export interface WorkQueueOptions {
  /** Rejecting means: again, later. */
  handle(key: string): Promise<{ requeueAfterMs?: number } | undefined>;
  clock: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
  /** How many keys at once, urgent ones aside. */
  concurrency?: number;
  /** Asked again and again: a key may become urgent while it waits or is being handled. */
  isUrgent?(key: string): boolean;
  backoff?: BackoffLimits;
  /** Told of every failure before the key is queued again. */
  onError?(key: string, error: unknown, failures: number, retryMs: number): void;
  /** Told of every handler call that ended. */
  onHandled?(key: string, succeeded: boolean, durationMs: number): void;
}

interface Entry {
  state: "idle" | "due" | "running";
  /** Added while it was running. */
  again: boolean;
  /** In a row. */
  failures: number;
  /** Earliest of the delayed additions. */
  later: { atMs: number; timer: Timer } | undefined;
}

const DEFAULT_BACKOFF: BackoffLimits = { firstMs: 200, limitMs: 60_000 };

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #entries = new Map<string, Entry>();
  #due: string[] = [];
  /** Keys whose handler is running, and when it was called: monotonic. */
  readonly #running = new Map<string, number>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait to be handled now. */
  get depth(): number {
    return this.#due.length;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Keys whose handler is running, and for how many milliseconds. */
  underWay(): { key: string; forMs: number }[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#running].map(([key, startedMs]) => ({ key, forMs: nowMs - startedMs }));
  }

  /**
   * Handle this key as soon as possible. After a failure that is not at once: a handler that changes its object and
   * then fails would otherwise call itself without end.
   */
  add(key: string): void {
    if (this.#stopped) return;
    const entry = this.#entry(key);
    if (entry.state === "running") entry.again = true;
    if (entry.state !== "idle") this.#reconsider(key, entry);
    else if (entry.failures > 0) this.addAfter(key, this.#soonMs);
    else this.#makeDue(key, entry);
  }

  /** Something about it changed: if it is urgent now, it waits no longer, or leaves its worker to another. */
  #reconsider(key: string, entry: Entry): void {
    if (!this.#isUrgent(key)) return;
    if (entry.state === "running") this.#pump();
    if (entry.state !== "due") return;
    this.#due = this.#due.filter((other) => other !== key);
    this.#start(key, entry);
  }

  #makeDue(key: string, entry: Entry): void {
    this.#cancelLater(entry);
    entry.state = "due";
    this.#due.push(key);
    if (this.#isUrgent(key)) this.#reconsider(key, entry);
    else this.#pump();
  }

  /** How soon a key that has failed is handled again when something about it changes. */
  get #soonMs(): number {
    return 2 * (this.#options.backoff ?? DEFAULT_BACKOFF).firstMs;
  }

  /** Handle this key after so many milliseconds, or sooner when it is asked for sooner. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#stopped) return;
    const entry = this.#entry(key);
    if (entry.state === "due") return;
    const atMs = this.#options.clock.monotonicMs() + Math.max(0, milliseconds);
    if (entry.later && entry.later.atMs <= atMs) return;
    this.#cancelLater(entry);
    const timer = this.#options.clock.after(Math.max(0, milliseconds), () => {
      entry.later = undefined;
      if (entry.state === "running") entry.again = true;
      if (entry.state === "idle") this.#makeDue(key, entry);
    });
    entry.later = { atMs, timer };
  }

  /** Forgets the key's failures: the next one waits only a moment again. */
  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.failures = 0;
    this.#dropIfIdle(key, entry);
  }

  /** Starts nothing more. Resolves when no handler runs any longer. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#due = [];
    for (const [key, entry] of this.#entries) {
      this.#cancelLater(entry);
      if (entry.state !== "running") this.#entries.delete(key);
    }
    return this.whenIdle();
  }

  /** Resolves when no handler runs and none is due. */
  whenIdle(): Promise<void> {
    if (this.#running.size === 0 && this.#due.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (this.#due.length > 0 && this.#hasFreeWorker()) {
      const key = this.#due.shift();
      if (key !== undefined) this.#start(key, this.#entry(key));
    }
  }

  #hasFreeWorker(): boolean {
    const taken = [...this.#running.keys()].filter((key) => !this.#isUrgent(key)).length;
    return taken < (this.#options.concurrency ?? 1);
  }

  #isUrgent(key: string): boolean {
    return this.#options.isUrgent?.(key) ?? false;
  }

  #start(key: string, entry: Entry): void {
    entry.state = "running";
    const startMs = this.#options.clock.monotonicMs();
    this.#running.set(key, startMs);
    // It never rejects; if it did, the process would end, as it must with a worker lost.
    void this.#run(key, entry, startMs);
  }

  async #run(key: string, entry: Entry, startMs: number): Promise<void> {
    let succeeded = true;
    try {
      const result = await this.#options.handle(key);
      entry.failures = 0;
      this.#settle(key, entry, result?.requeueAfterMs);
    } catch (error) {
      succeeded = false;
      this.#settle(key, entry, this.#failed(key, entry, error));
    }
    this.#options.onHandled?.(key, succeeded, this.#options.clock.monotonicMs() - startMs);
    this.#pump();
    this.#tellIdle();
  }

  /** Counts the failure; how long to wait, in milliseconds. */
  #failed(key: string, entry: Entry, error: unknown): number {
    entry.failures++;
    const limits = this.#options.backoff ?? DEFAULT_BACKOFF;
    const asked = error instanceof KubeError ? error.retryAfterSeconds : undefined;
    const retryMs = backoffMs(entry.failures, limits, this.#options.random ?? Math.random, asked);
    this.#options.onError?.(key, error, entry.failures, retryMs);
    return retryMs;
  }

  #settle(key: string, entry: Entry, againAfterMs: number | undefined): void {
    entry.state = "idle";
    this.#running.delete(key);
    const again = entry.again;
    entry.again = false;
    if (againAfterMs !== undefined) this.addAfter(key, againAfterMs);
    if (again) this.add(key);
    this.#dropIfIdle(key, entry);
  }

  #tellIdle(): void {
    if (this.#running.size > 0 || this.#due.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #entry(key: string): Entry {
    const entry = this.#entries.get(key) ?? { state: "idle", again: false, failures: 0, later: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #cancelLater(entry: Entry): void {
    entry.later?.timer.cancel();
    entry.later = undefined;
  }

  #dropIfIdle(key: string, entry: Entry): void {
    const forgettable = entry.state === "idle" && entry.failures === 0 && entry.later === undefined;
    if (forgettable || (this.#stopped && entry.state === "idle")) this.#entries.delete(key);
  }
}
