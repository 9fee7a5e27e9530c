/**
 * One leader among the controller's replicas, by a Lease. A leader that cannot renew in time stops leading by its own
 * clock, before anybody else may begin; others judge a lease by how long they have seen it unchanged, so clocks need
 * not agree. Every term has a number of its own, the epoch, which agents use to refuse a leader that was replaced.
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
  /** Others take over after the lease was unchanged for so long; whole seconds. Default 15 s. */
  durationMs?: number;
  /** A leader that has not renewed for so long stops leading. Less than durationMs. Default 10 s. */
  renewWithinMs?: number;
  /** Between attempts. Default 2 s. */
  retryMs?: number;
  /**
   * Called at the start of each term; a next term begins only after what this returned has ended. The term's signal
   * is aborted the moment the term ends.
   */
  lead(term: Term): Promise<void>;
}

/**
 * Epoch of a Lease's first term: minutes since 1970. A Lease that is deleted and made anew (a reinstallation) then
 * still continues upwards, or agents would refuse everything that its leader says.
 */
function firstEpoch(nowMs: number): number {
  return Math.floor(nowMs / 60_000);
}

interface Observed {
  /** What the lease said: holder, transitions and renew time as one string. */
  state: string;
  /** When it was first seen like that, by our clock. */
  sinceMs: number;
}

interface Leading {
  epoch: number;
  end: AbortController;
  /** Start of the last successful renewal, by our clock. */
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
  /** The last term's work, which may outlast the term. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs ?? 15_000;
    this.#renewWithinMs = options.renewWithinMs ?? 10_000;
    this.#retryMs = options.retryMs ?? 2_000;
  }

  get leading(): boolean {
    return this.#leading !== undefined;
  }

  /** The present term's number, while leading. */
  get epoch(): number | undefined {
    return this.#leading?.epoch;
  }

  /** Takes part until the signal is aborted, then gives the lease back. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt();
      const jitterMs = this.#retryMs * 0.2 * (this.#options.random ?? Math.random)();
      await sleep(this.#options.clock, this.#retryMs + jitterMs, signal);
    }
    const held = this.#leading;
    this.#end("the operator stops");
    if (held) await this.#release(held).catch((error: unknown) => this.#log("lease not released", { error }));
  }

  async #attempt(): Promise<void> {
    try {
      if (this.#leading) await this.#renew(this.#leading);
      else await this.#tryAcquire();
    } catch (error) {
      this.#log(this.#leading ? "lease not renewed" : "lease not acquired", { error });
    }
  }

  async #tryAcquire(): Promise<void> {
    const { client, clock, lease: ref } = this.#options;
    const lease = await client.get(LEASES, ref);
    if (lease && !this.#isFree(lease)) return;
    // A term before must have come to rest in this process too.
    await this.#last;
    const startMs = clock.now();
    const epoch = lease ? (lease.spec?.leaseTransitions ?? 0) + 1 : firstEpoch(startMs);
    const spec = this.#spec(startMs, epoch);
    const written = lease
      ? await client.patch(LEASES, ref, { metadata: versionOf(lease), spec })
      : await client.create(LEASES, this.#newLease(spec));
    this.#begin(epoch, startMs, written.metadata.resourceVersion);
  }

  /** Nobody holds it, a former term of ours or a dead process does, or it was not renewed for its whole duration. */
  #isFree(lease: Lease): boolean {
    const { holderIdentity, leaseTransitions, renewTime, leaseDurationSeconds } = lease.spec ?? {};
    const nowMs = this.#options.clock.now();
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
    const done = lead({ epoch, signal: end.signal }).catch((error: unknown) => {
      logger.error("the leader's work failed", { epoch, error });
    });
    this.#last = done;
    this.#leading = { epoch, end, renewedMs: startMs, version };
    this.#guard(this.#leading);
  }

  /** Ends the term when its time is up, even while a renewal hangs. */
  #guard(term: Leading): void {
    const { clock } = this.#options;
    const leftMs = term.renewedMs + this.#renewWithinMs - clock.now();
    if (leftMs <= 0) {
      if (this.#leading === term) this.#end("the lease could not be renewed in time");
      return;
    }
    const timer = clock.after(leftMs, () => this.#guard(term));
    term.end.signal.addEventListener("abort", () => timer.cancel(), { once: true });
  }

  async #renew(term: Leading): Promise<void> {
    const { client, clock, lease: ref } = this.#options;
    const startMs = clock.now();
    try {
      const body = { metadata: { resourceVersion: term.version }, spec: { renewTime: microTime(startMs) } };
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
