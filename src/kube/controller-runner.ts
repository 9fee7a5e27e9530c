/** Runs one controller for as long as this process leads: a queue of keys per term, filled by changes and by resyncs. */
import type { Logger } from "../logging/logger.ts";
import { KubeError, type KubeObject, type ResourceKind } from "./client.ts";
import type { Clock, Timer } from "./clock.ts";
import type { AnyWatchRule, Controller, Term } from "./controller.ts";
import type { OperatorMetrics } from "./metrics.ts";
import { type Change, keyOf, refFromKey, type Store } from "./store.ts";
import { WorkQueue } from "./work-queue.ts";

export interface ControllerRunnerOptions {
  controller: Controller;
  storeFor(kind: ResourceKind<KubeObject>): Store<KubeObject>;
  clock: Clock;
  logger: Logger;
  metrics: OperatorMetrics;
  /** Uniform in [0, 1). */
  random?: () => number;
}

const DEFAULT_RESYNC_MS = 600_000;
const DEFAULT_CONCURRENCY = 4;
const DEFAULT_LONGEST_MS = 900_000;

export class ControllerRunner {
  readonly #options: ControllerRunnerOptions;
  readonly #logger: Logger;
  /** The present term's. */
  #queue: WorkQueue | undefined;
  /** The last term's, whose reconciles may still be under way. */
  #last: WorkQueue | undefined;
  #resync: Timer | undefined;

  constructor(options: ControllerRunnerOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ controller: options.controller.name });
  }

  get name(): string {
    return this.#options.controller.name;
  }

  get depth(): number {
    return this.#queue?.depth ?? 0;
  }

  /** A reconcile that hangs, in a sentence; undefined when there is none. */
  get unhealthy(): string | undefined {
    const { controller } = this.#options;
    for (const { key, forMs } of this.#last?.underWay() ?? []) {
      if (forMs < (controller.longestMs?.(refFromKey(key)) ?? DEFAULT_LONGEST_MS)) continue;
      return `controller ${this.name} hangs: its reconcile of ${key} has taken ${Math.round(forMs / 1000)} s so far`;
    }
    return undefined;
  }

  /** Begins a term: everything there is, is looked at. */
  start(term: Term): void {
    this.#queue = this.#newQueue(term);
    this.#last = this.#queue;
    this.#queueAll();
    this.#scheduleResync();
  }

  /** Ends the term: starts nothing more. Resolves when the reconciles under way have ended. */
  async stop(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    this.#resync?.cancel();
    await queue?.stop();
  }

  /** An object of this kind has changed. */
  changed(kind: ResourceKind<KubeObject>, change: Change<KubeObject>): void {
    const object = change.after ?? change.before;
    if (!this.#queue || !object) return;
    for (const rule of this.#options.controller.watches) {
      if (sameKind(rule.kind, kind)) this.#add(rule, object, change.before);
    }
  }

  #newQueue(term: Term): WorkQueue {
    const { clock, controller, metrics, random } = this.#options;
    return new WorkQueue({
      clock,
      ...(random ? { random } : {}),
      concurrency: controller.concurrency ?? DEFAULT_CONCURRENCY,
      isUrgent: (key) => controller.isUrgent?.(refFromKey(key)) ?? false,
      handle: async (key) => (await controller.reconcile(refFromKey(key), term)) ?? undefined,
      onError: (key, error, failures, retryMs) => this.#failed(key, error, failures, retryMs),
      onHandled: (_, succeeded, durationMs) => metrics.reconciled(controller.name, succeeded, durationMs),
    });
  }

  #add(rule: AnyWatchRule, object: KubeObject, before: KubeObject | undefined): void {
    for (const ref of rule.keys(object, before)) this.#queue?.add(keyOf(ref));
  }

  #queueAll(): void {
    const { controller, storeFor } = this.#options;
    for (const ref of controller.initialKeys ?? []) this.#queue?.add(keyOf(ref));
    for (const rule of controller.watches) {
      for (const object of storeFor(rule.kind).list()) this.#add(rule, object, undefined);
    }
  }

  #scheduleResync(): void {
    const { clock, controller, random = Math.random } = this.#options;
    const everyMs = (controller.resyncMs ?? DEFAULT_RESYNC_MS) * (0.9 + 0.2 * random());
    this.#resync = clock.after(everyMs, () => {
      this.#queueAll();
      this.#scheduleResync();
    });
  }

  #failed(key: string, error: unknown, failures: number, retryMs: number): void {
    // A write on an outdated copy is everyday business; the next attempt sees the new one.
    const conflict = error instanceof KubeError && error.reason === "Conflict" && failures < 3;
    this.#logger[conflict ? "debug" : "error"]("reconcile failed", { key, error, failures, retryMs });
  }
}

export function sameKind(a: ResourceKind<KubeObject>, b: ResourceKind<KubeObject>): boolean {
  return a.group === b.group && a.version === b.version && a.plural === b.plural;
}
