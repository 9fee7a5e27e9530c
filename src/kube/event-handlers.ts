/** Calls a handler for each change of a resource: one object's changes in order, again when the handler failed. */
import type { ResourceEvent } from "@dot-i/k8s-operator";
import type { Logger } from "../logging/logger.ts";
import type { KubeObject, ResourceKind } from "./client.ts";
import type { Clock } from "./clock.ts";
import { metaFor, withDates } from "./discovery.ts";
import { ResourceEventType } from "./operator-base.ts";
import { type Change, keyOf } from "./store.ts";
import { WorkQueue } from "./work-queue.ts";

export interface EventHandlersOptions {
  kind: ResourceKind<KubeObject>;
  clock: Clock;
  logger: Logger;
  onEvent(event: ResourceEvent): Promise<void>;
}

const CONCURRENCY = 4;

export class EventHandlers {
  readonly #options: EventHandlersOptions;
  readonly #waiting = new Map<string, ResourceEvent[]>();
  readonly #queue: WorkQueue;

  constructor(options: EventHandlersOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      concurrency: CONCURRENCY,
      handle: (key) => this.#handle(key),
      onError: (key, error, failures, retryMs) =>
        options.logger.error("event handler failed", { kind: options.kind.kind, key, error, failures, retryMs }),
    });
  }

  push(change: Change<KubeObject>): void {
    const object = change.after ?? change.before;
    if (!object) return;
    const key = keyOf(object.metadata);
    const waiting = this.#waiting.get(key) ?? [];
    waiting.push(this.#event(object, typeOf(change)));
    this.#waiting.set(key, waiting);
    this.#queue.add(key);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #handle(key: string): Promise<undefined> {
    for (;;) {
      const waiting = this.#waiting.get(key);
      const event = waiting?.[0];
      if (!waiting || !event) break;
      await this.#options.onEvent(event);
      waiting.shift();
    }
    this.#waiting.delete(key);
  }

  #event(object: KubeObject, type: ResourceEvent["type"]): ResourceEvent {
    const { group, version, plural } = this.#options.kind;
    const id = `${plural}.${group === "" ? version : `${group}/${version}`}`;
    return { meta: metaFor(id, object), type, object: withDates(object) };
  }
}

function typeOf(change: Change<KubeObject>): ResourceEvent["type"] {
  const { Added, Deleted, Modified } = ResourceEventType;
  if (!change.after) return Deleted;
  return change.before ? Modified : Added;
}
