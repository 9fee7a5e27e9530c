/** Writes core/v1 Events, one after the other, off the caller's path. */
import type { Logger } from "../logging/logger.ts";
import { type KubeClient, KubeError, type KubeObject } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import { EventBudget } from "./event-budget.ts";
import type { EventRecorder } from "./events.ts";
import { EVENTS, type Event } from "./resources.ts";

export interface EventRecorderOptions {
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  /** Which program says it: "headroom-controller". */
  component: string;
  /** Which process of it: the pod's name. */
  instance: string;
}

interface Entry {
  about: KubeObject;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  firstMs: number;
  lastMs: number;
  count: number;
  /** The Event's name once it is written. */
  written: string | undefined;
  queued: boolean;
}

/** The same words within this time are one event with a count. */
const SAME_WITHIN_MS = 10 * 60_000;
const REMEMBERED = 1_000;
const ATTEMPTS = 3;
/** The API server's limit is 1024 bytes. */
const MESSAGE_BYTES = 1024;

export class KubeEventRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #budget: EventBudget;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #queue: Entry[] = [];
  #busy = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#budget = new EventBudget(options.clock);
  }

  record(about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void {
    const words = cut(message);
    const key = [about.metadata.uid ?? about.metadata.name, type, reason, words].join("\n");
    const entry = this.#entry(key, { about, type, reason, message: words });
    if (entry.queued) return;
    if (!this.#budget.take(about.metadata.uid ?? about.metadata.name)) return;
    entry.queued = true;
    this.#queue.push(entry);
    if (this.#queue.length === 1 && !this.#busy) this.#writing = this.#writeAll();
  }

  /** Resolves when everything recorded so far is written or given up. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #entry(key: string, said: Pick<Entry, "about" | "type" | "reason" | "message">): Entry {
    const nowMs = this.#options.clock.now();
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const fresh = known && nowMs - known.lastMs < SAME_WITHIN_MS ? known : undefined;
    const entry = fresh ?? { ...said, firstMs: nowMs, lastMs: nowMs, count: 0, written: undefined, queued: false };
    entry.count++;
    entry.lastMs = nowMs;
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= REMEMBERED) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }

  async #writeAll(): Promise<void> {
    this.#busy = true;
    for (let entry = this.#queue.shift(); entry; entry = this.#queue.shift()) {
      entry.queued = false;
      await this.#write(entry);
    }
    this.#busy = false;
  }

  async #write(entry: Entry): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#writeOnce(entry);
      } catch (error) {
        const transient = error instanceof KubeError && error.transient;
        if (!transient || attempt === ATTEMPTS) {
          this.#options.logger.warn("event not written", { reason: entry.reason, message: entry.message, error });
          return;
        }
        const retryMs = Math.min(10_000, Math.max(500 * attempt, (error.retryAfterSeconds ?? 0) * 1000));
        await sleep(this.#options.clock, retryMs);
      }
    }
  }

  async #writeOnce(entry: Entry): Promise<void> {
    const { client } = this.#options;
    const namespace = entry.about.metadata.namespace ?? "default";
    if (entry.written) {
      const body = { count: entry.count, lastTimestamp: time(entry.lastMs) };
      const known = await client.patch(EVENTS, { namespace, name: entry.written }, body).catch(ifGone);
      if (known) return;
    }
    const event = this.#event(entry, namespace);
    await client.create(EVENTS, event);
    entry.written = event.metadata.name;
  }

  #event(entry: Entry, namespace: string): Event {
    const { about, type, reason, message, count } = entry;
    const { component, instance } = this.#options;
    const unique = `${Math.floor(entry.lastMs).toString(16)}${Math.random().toString(16).slice(2, 8)}`;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${about.metadata.name.slice(0, 200)}.${unique}`, namespace },
      involvedObject: referenceTo(about),
      type,
      reason,
      message,
      count,
      firstTimestamp: time(entry.firstMs),
      lastTimestamp: time(entry.lastMs),
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }
}

function referenceTo(about: KubeObject): Event["involvedObject"] {
  const { name, namespace, uid, resourceVersion } = about.metadata;
  const place = namespace ? { namespace } : {};
  const version = { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) };
  return { apiVersion: about.apiVersion, kind: about.kind, name, ...place, ...version };
}

/** metav1.Time: whole seconds. */
function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function cut(message: string): string {
  if (Buffer.byteLength(message) <= MESSAGE_BYTES) return message;
  return `${Buffer.from(message)
    .subarray(0, MESSAGE_BYTES - 8)
    .toString("utf8")
    .replace(/\uFFFD+$/, "")}…`;
}

function ifGone(error: unknown): undefined {
  if (error instanceof KubeError && error.reason === "NotFound") return undefined;
  throw error;
}
