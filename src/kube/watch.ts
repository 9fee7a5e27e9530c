/**
 * Keeps a store equal to the API server's objects of one kind: a list, then a watch from its resourceVersion, resumed
 * wherever it broke off. Whatever goes wrong, it tries again; it ends only when its signal is aborted.
 */
import type { Logger } from "../logging/logger.ts";
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import { type KubeClient, KubeError, type KubeObject, type ListOptions, type ResourceKind } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import { errorFromAnswer, errorFromFailure } from "./errors.ts";
import { named } from "./http-client.ts";
import { collectionPath, selectorQuery, withQuery } from "./paths.ts";
import type { Change, MemoryStore } from "./store.ts";
import type { Transport } from "./transport.ts";
import { linesOf, parseWatchLine, type WatchLine } from "./watch-stream.ts";

export interface WatchOptions<T extends KubeObject> {
  kind: ResourceKind<T>;
  store: MemoryStore<T>;
  /** For the list. */
  client: KubeClient;
  /** For the watch. */
  transport: Transport;
  clock: Clock;
  logger: Logger;
  /** Uniform in [0, 1). */
  random?: () => number;
  select?: ListOptions;
  /** Told of every change, after the store has it. */
  onChange?(change: Change<T>): void;
  /** Told of every interruption: `Expired`, `Silent`, `Unavailable`, … */
  onInterrupted?(reason: string): void;
  /** A watch without a byte for so long is taken for dead. API servers send bookmarks about once a minute. */
  silenceMs?: number;
  backoff?: BackoffLimits;
}

const DEFAULT_SILENCE_MS = 150_000;
const DEFAULT_BACKOFF: BackoffLimits = { firstMs: 300, limitMs: 30_000 };
/** A stream that lived shorter than this and brought nothing counts as a failure. */
const SHORT_MS = 5_000;
/** After so many failures in a row at the same version, what the version stands for is doubted: list anew. */
const RELIST_AFTER = 4;

export class ResourceWatch<T extends KubeObject> {
  readonly #options: WatchOptions<T>;
  readonly #random: () => number;
  /** Where to resume; undefined: list first. */
  #version: string | undefined;
  #failures = 0;
  /** When it last received something, began to list, or failed; undefined before the start and after the end that was asked for. */
  #activeMs: number | undefined;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * What is wrong, in a sentence; undefined while the watch does its work. An API server that is away is not wrong: then attempts
   * fail and are repeated. A restart would help against neither that nor missing rights.
   */
  get unhealthy(): string | undefined {
    if (this.#activeMs === undefined) return undefined;
    const quietMs = this.#options.clock.monotonicMs() - this.#activeMs;
    if (quietMs < 2 * this.#silenceMs) return undefined;
    return `the watch of ${this.#options.kind.plural} has stopped: no sign of it for ${Math.round(quietMs / 1000)} s`;
  }

  /** Resolves when the signal is aborted, never before, and never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#active();
      try {
        this.#version ??= await this.#list();
        await this.#follow(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error, signal);
      }
    }
    this.#activeMs = undefined;
  }

  #active(): void {
    this.#activeMs = this.#options.clock.monotonicMs();
  }

  get #silenceMs(): number {
    return this.#options.silenceMs ?? DEFAULT_SILENCE_MS;
  }

  async #list(): Promise<string> {
    const { client, kind, select, store } = this.#options;
    const { items, resourceVersion } = await client.list(kind, select);
    for (const change of store.replaceAll(items.map(withoutManagedFields))) this.#tell(change);
    return resourceVersion;
  }

  /** Reads one stream to its end. Ending is normal; too soon and too empty is not. */
  async #follow(version: string, signal: AbortSignal): Promise<void> {
    const { clock, kind } = this.#options;
    const startMs = clock.monotonicMs();
    const silence = new SilenceGuard(clock, this.#silenceMs, signal);
    let lines = 0;
    try {
      for await (const line of this.#lines(version, silence)) {
        this.#apply(line);
        lines++;
        this.#failures = 0;
      }
    } catch (error) {
      if (silence.silent) throw new KubeError("Timeout", `watch ${kind.plural}: silent for too long`);
      throw errorFromFailure(`watch ${kind.plural}`, this.#options.transport.server, error);
    } finally {
      silence.end();
    }
    const short = clock.monotonicMs() - startMs < SHORT_MS;
    if (lines === 0 && short)
      throw new KubeError("Unavailable", `watch ${kind.plural}: closed as soon as it was opened`);
    this.#failures = 0;
    // A server that hangs up after every line must not be asked in a tight loop.
    if (short) await sleep(clock, this.#backoff(1), signal);
  }

  async *#lines(version: string, silence: SilenceGuard): AsyncGenerator<WatchLine> {
    const { kind, select = {}, transport } = this.#options;
    const what = `watch ${kind.plural}`;
    const path = withQuery(collectionPath(kind, select.namespace), {
      ...selectorQuery(select),
      watch: 1,
      resourceVersion: version,
      allowWatchBookmarks: true,
      // Spread, so that all watches of all clients don't end at once.
      timeoutSeconds: Math.round(300 + 300 * this.#random()),
    });
    const stream = await transport.stream(what, path, silence.signal);
    if (stream.status !== 200) {
      const body = await wholeText(stream.body);
      throw errorFromAnswer(what, stream.status, body, stream.retryAfter);
    }
    const heard = () => {
      this.#active();
      silence.heard();
    };
    for await (const text of linesOf(stream.body, heard)) yield parseWatchLine(what, text);
  }

  #apply(line: WatchLine): void {
    if (line.type === "ERROR") throw errorFromAnswer(`watch ${this.#options.kind.plural}`, line.status, line.body);
    if (line.type !== "BOOKMARK") this.#change(line.type, line.object);
    this.#version = line.resourceVersion;
  }

  #change(type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject): void {
    const { kind, store } = this.#options;
    // The API server sends on a watch only objects of the kind that was asked for.
    const known = withoutManagedFields(named(kind, object as T));
    const change = type === "DELETED" ? store.remove(known.metadata) : store.put(known);
    if (change) this.#tell(change);
  }

  /** A listener's mistake is its own; the watch goes on. */
  #tell(change: Change<T>): void {
    try {
      this.#options.onChange?.(change);
    } catch (error) {
      this.#options.logger.error("a listener failed on a change", { kind: this.#options.kind.kind, error });
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, kind, logger } = this.#options;
    const known = error instanceof KubeError ? error : undefined;
    this.#active();
    this.#failures++;
    this.#options.onInterrupted?.(known?.reason ?? "Unknown");
    const expired = known?.reason === "Expired";
    if (expired || this.#failures % RELIST_AFTER === 0) this.#version = undefined;
    const retryMs = this.#backoff(this.#failures, known?.retryAfterSeconds);
    const level = expired || this.#failures < 3 ? "debug" : "warn";
    logger[level]("watch interrupted", { kind: kind.kind, error, failures: this.#failures, retryMs });
    await sleep(clock, retryMs, signal);
  }

  #backoff(failures: number, retryAfterSeconds?: number): number {
    return backoffMs(failures, this.#options.backoff ?? DEFAULT_BACKOFF, this.#random, retryAfterSeconds);
  }
}

/** Aborts a stream that says nothing for too long, or when the watch ends. */
class SilenceGuard {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #stop = () => this.#controller.abort();
  #timer: { cancel(): void };
  #silent = false;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#outer = outer;
    outer.addEventListener("abort", this.#stop);
    this.#timer = this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get silent(): boolean {
    return this.#silent;
  }

  heard(): void {
    this.#timer.cancel();
    this.#timer = this.#arm();
  }

  end(): void {
    this.#timer.cancel();
    this.#outer.removeEventListener("abort", this.#stop);
    this.#controller.abort();
  }

  #arm(): { cancel(): void } {
    return this.#clock.after(this.#limitMs, () => {
      this.#silent = true;
      this.#controller.abort();
    });
  }
}

/** Nobody here reads managedFields, and they are a third of many objects. */
function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  return object;
}

async function wholeText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
