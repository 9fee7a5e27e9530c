/**
 * One leader among the controller's replicas, by a Lease. A leader that cannot renew in time stops leading by its own
 * clock, before another may begin; others judge a lease by how long they have seen it unchanged. Both are measured by monotonic
 * clocks: wall clocks need not agree, and may be set. Every term has a number of its own, the epoch, which agents use to refuse a
 * leader that was replaced. Epochs only grow, even when the Lease is deleted or restored from an older state.
 */
import type { Logger } from "../logging/logger.ts";
import { type KubeClient, KubeError, type ObjectRef } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import type { Term } from "./controller.ts";
import { LEASES, type Lease } from "./resources.ts";

export interface LeaderElectionOptions {
  client: KubeClient;
  /** The Lease's address. */
  lease: ObjectRef;
  /** Who we are; unique for each process, not only for each pod. */
  identity: string;
  /** True of the identity of a process that is known to have ended: its lease is not waited for. */
  hasEnded?(holder: string): boolean;
  clock: Clock;
  logger: Logger;
  /** Uniform in [0, 1). */
  random?: () => number;
  /** Others take over after the lease was unchanged for this long; whole seconds. Default 8 s. */
  durationMs?: number;
  /** A leader that has not renewed for this long stops leading. Less than durationMs. Default 6 s: room for two renewals that hang. */
  renewWithinMs?: number;
  /** Between attempts. Default 1 s. */
  retryMs?: number;
  /**
   * Called at the start of each term; a next term begins only after what this returned has ended. The term's signal
   * is aborted the moment the term ends.
   */
  lead(term: Term): Promise<void>;
}

/**
 * The least epoch of a term that begins now: minutes since 1970. Agents refuse everything of an epoch lower than one they have
 * seen; with this, epochs grow even when the Lease was deleted, or etcd restored from a backup.
 */
function leastEpoch(nowMs: number): number {
  return Math.floor(nowMs / 60_000);
}

/** A node that was taken over may name any number; leaseTransitions is an int32. Two years of minutes above the clock are believed. */
const BELIEVED_AHEAD = 1_000_000;
/** So an agent that keeps on naming higher numbers interrupts the leader at most this often. */
const OUTRANK_EVERY_MS = 60_000;
/** An attempt takes at most a few calls with their time limits. */
const STOPPED_AFTER_MS = 60_000;

interface Observed {
  /** What the lease said: holder, transitions and renew time as one string. */
  state: string;
  /** When it was first seen like that, by our monotonic clock. */
  sinceMs: number;
}

interface Leading {
  epoch: number;
  end: AbortController;
  /** Start of the last successful renewal, by our monotonic clock. */
  renewedMs: number;
  /** resourceVersion of the lease as we last wrote it. */
  version: string | undefined;
}

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #durationMs: number;
  readonly #renewWithinMs: number;
  readonly #retryMs: number;
  #observed: Observed | undefined;
  #leading: Leading | undefined;
  /** The last term's work, which may outlast the term, is still under way. */
  #working = false;
  /** The next epoch is higher than this: an agent has seen it. */
  #seen = 0;
  #outrankedMs = Number.NEGATIVE_INFINITY;
  /** When the last attempt began; undefined before the first and after the last. */
  #attemptMs: number | undefined;
  #answered = false;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs ?? 8_000;
    this.#renewWithinMs = options.renewWithinMs ?? 6_000;
    this.#retryMs = options.retryMs ?? 1_000;
  }

  get leading(): boolean {
    return this.#leading !== undefined;
  }

  /** The present term's number, while leading. */
  get epoch(): number | undefined {
    return this.#leading?.epoch;
  }

  /** The API server has answered the last attempt. */
  get answered(): boolean {
    return this.#answered;
  }

  /** What keeps it from taking part, in a sentence; undefined when it attempts to acquire or renew as it should. */
  get unhealthy(): string | undefined {
    if (this.#attemptMs === undefined) return undefined;
    const agoMs = this.#options.clock.monotonicMs() - this.#attemptMs;
    return agoMs < STOPPED_AFTER_MS
      ? undefined
      : `the election has stopped: no attempt for ${Math.round(agoMs / 1000)} s`;
  }

  /** Takes part until the signal is aborted, then gives the lease back. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#attemptMs = this.#options.clock.monotonicMs();
      await this.#attempt();
      const jitterMs = this.#retryMs * 0.2 * (this.#options.random ?? Math.random)();
      await sleep(this.#options.clock, this.#retryMs + jitterMs, signal);
    }
    this.#attemptMs = undefined;
    const held = this.#leading;
    this.#end("the operator stops");
    if (held) await this.#release(held).catch((error: unknown) => this.#log("lease not released", { error }));
  }

  async #attempt(): Promise<void> {
    try {
      if (this.#leading) await this.#renew(this.#leading);
      else await this.#tryAcquire();
      this.#answered = true;
    } catch (error) {
      this.#answered = false;
      this.#log(this.#leading ? "lease not renewed" : "lease not acquired", { error });
    }
  }

  async #tryAcquire(): Promise<void> {
    const { client, clock, lease: ref } = this.#options;
    const lease = await client.get(LEASES, ref);
    // A term before must have come to rest in this process too.
    if ((lease && !this.#isFree(lease)) || this.#working) return;
    const startMs = clock.monotonicMs();
    const epoch = Math.max((lease?.spec?.leaseTransitions ?? 0) + 1, this.#seen + 1, leastEpoch(clock.now()));
    const spec = this.#spec(clock.now(), epoch);
    const written = lease
      ? await client.patch(LEASES, ref, { metadata: versionOf(lease), spec })
      : await client.create(LEASES, this.#newLease(spec));
    this.#begin(epoch, startMs, written.metadata.resourceVersion);
  }

  /** Nobody holds it, a former term of ours or a dead process does, or it was not renewed for its whole duration. */
  #isFree(lease: Lease): boolean {
    const { holderIdentity, leaseTransitions, renewTime, leaseDurationSeconds } = lease.spec ?? {};
    const nowMs = this.#options.clock.monotonicMs();
    const state = `${holderIdentity} ${leaseTransitions} ${renewTime}`;
    if (this.#observed?.state !== state) this.#observed = { state, sinceMs: nowMs };
    if (!holderIdentity || holderIdentity === this.#options.identity) return true;
    if (this.#options.hasEnded?.(holderIdentity)) return true;
    const durationMs = Math.max(this.#durationMs, (leaseDurationSeconds ?? 0) * 1000);
    return nowMs - this.#observed.sinceMs >= durationMs;
  }

  #begin(epoch: number, startMs: number, version: string | undefined): void {
    const end = new AbortController();
    const { logger, lead } = this.#options;
    logger.info("leading", { epoch });
    const leading: Leading = { epoch, end, renewedMs: startMs, version };
    this.#working = true;
    lead(this.#term(leading))
      .catch((error: unknown) => logger.error("the leader's work failed", { epoch, error }))
      .finally(() => {
        this.#working = false;
      });
    this.#leading = leading;
    this.#guard(leading);
  }

  #term(leading: Leading): Term {
    return {
      epoch: leading.epoch,
      signal: leading.end.signal,
      renewedAgoMs: () => this.#options.clock.monotonicMs() - leading.renewedMs,
      outrank: (seen) => this.#outrank(leading, seen),
    };
  }

  /** Ends the term. The next attempt begins another one above `seen`, if the lease is still ours. */
  #outrank(term: Leading, seen: number): void {
    const { clock } = this.#options;
    if (this.#leading !== term || seen < term.epoch) return;
    if (seen > leastEpoch(clock.now()) + BELIEVED_AHEAD) {
      this.#log("an agent names an epoch that cannot be", { epoch: term.epoch, seen });
      return;
    }
    if (clock.monotonicMs() - this.#outrankedMs < OUTRANK_EVERY_MS) return;
    this.#outrankedMs = clock.monotonicMs();
    this.#seen = Math.max(this.#seen, seen);
    this.#end("an agent has seen a higher epoch");
  }

  /** Ends the term when its time is up, even while a renewal hangs. */
  #guard(term: Leading): void {
    const { clock } = this.#options;
    const leftMs = term.renewedMs + this.#renewWithinMs - clock.monotonicMs();
    if (leftMs <= 0) {
      if (this.#leading === term) this.#end("the lease could not be renewed in time");
      return;
    }
    const timer = clock.after(leftMs, () => this.#guard(term));
    term.end.signal.addEventListener("abort", () => timer.cancel(), { once: true });
  }

  async #renew(term: Leading): Promise<void> {
    const { client, clock, lease: ref } = this.#options;
    const startMs = clock.monotonicMs();
    try {
      const body = { metadata: { resourceVersion: term.version }, spec: { renewTime: microTime(clock.now()) } };
      const written = await client.patch(LEASES, ref, body);
      term.version = written.metadata.resourceVersion;
      term.renewedMs = startMs;
    } catch (error) {
      const moved = error instanceof KubeError && (error.reason === "Conflict" || error.reason === "NotFound");
      if (!moved) throw error;
      await this.#lookAgain(term);
    }
  }

  /** The lease isn't as we left it: an answer of ours was lost, or somebody else has it. */
  async #lookAgain(term: Leading): Promise<void> {
    const lease = await this.#options.client.get(LEASES, this.#options.lease);
    if (lease && this.#isOurs(lease, term)) {
      term.version = lease.metadata.resourceVersion;
      return this.#renew(term);
    }
    if (this.#leading === term) this.#end(lease ? "another replica holds the lease" : "the lease is gone");
  }

  #isOurs(lease: Lease, term: Leading): boolean {
    return lease.spec?.holderIdentity === this.#options.identity && lease.spec.leaseTransitions === term.epoch;
  }

  #end(why: string): void {
    const term = this.#leading;
    if (!term) return;
    this.#leading = undefined;
    this.#observed = undefined;
    term.end.abort(new Error(why));
    this.#log("no longer leading", { epoch: term.epoch, why });
  }

  async #release(held: Leading): Promise<void> {
    const { client, lease: ref } = this.#options;
    const lease = await client.get(LEASES, ref);
    if (!lease || !this.#isOurs(lease, held)) return;
    await client.patch(LEASES, ref, { metadata: versionOf(lease), spec: { holderIdentity: null } });
  }

  #newLease(spec: NonNullable<Lease["spec"]>): Lease {
    const { name, namespace } = this.#options.lease;
    const metadata = { name, ...(namespace ? { namespace } : {}) };
    return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
  }

  #spec(nowMs: number, leaseTransitions: number): NonNullable<Lease["spec"]> {
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#durationMs / 1000),
      acquireTime: microTime(nowMs),
      renewTime: microTime(nowMs),
      leaseTransitions,
    };
  }

  #log(message: string, fields: Record<string, unknown>): void {
    this.#options.logger.warn(message, { ...fields, identity: this.#options.identity });
  }
}

/** Makes a merge patch conditional. */
function versionOf(lease: Lease): { resourceVersion: string | undefined } {
  return { resourceVersion: lease.metadata.resourceVersion };
}

/** metav1.MicroTime: exactly six digits of a second. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
