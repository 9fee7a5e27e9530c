/**
 * Headroom's operator: the class of @dot-i/k8s-operator with its watch, finalizer and status members replaced by ones
 * that resume, notice deletions, retry and reject, and never end the process. Controllers are registered with it; it
 * keeps their caches and runs their reconciles while it leads.
 */

import type { ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";
import { CoreV1Api, type KubeConfig } from "@kubernetes/client-node";
import type { Logger } from "../logging/logger.ts";
import type { KubeClient, KubeObject, ObjectRef, ResourceKind } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import type { Controller, ControllerContext, Term } from "./controller.ts";
import { ControllerRunner } from "./controller-runner.ts";
import { registerDefinition } from "./custom-resource-definitions.ts";
import { discoverKind, fromEvent, kindFromId, metaFor } from "./discovery.ts";
import { EventHandlers } from "./event-handlers.ts";
import { KubeEventRecorder } from "./event-recorder.ts";
import { addFinalizer, hasFinalizer, removeFinalizer, writeFinalizers } from "./finalizers.ts";
import { HttpKubeClient } from "./http-client.ts";
import { LeaderElection } from "./leader-election.ts";
import { OperatorMetrics } from "./metrics.ts";
import { Operator, ResourceEventType } from "./operator-base.ts";
import { collectionPath } from "./paths.ts";
import { type Change, MemoryStore } from "./store.ts";
import { StoreSet } from "./stores.ts";
import { KubeConfigTransport, type Transport } from "./transport.ts";
import { ResourceWatch } from "./watch.ts";

export interface HeadroomOperatorOptions {
  config: KubeConfig;
  logger: Logger;
  clock: Clock;
  /** Headroom's own namespace: where its Lease lives. */
  namespace: string;
  /** Unique for each process. */
  identity: string;
  /** True of the identity of a process that is known to have ended: its lease is not waited for. */
  hasEnded?(holder: string): boolean;
  metrics?: OperatorMetrics;
  leaseName?: string;
  /** How long reconciles under way may take to end when the operator stops, milliseconds. */
  stopWithinMs?: number;
  /** Lease timings, milliseconds; for tests. */
  election?: { durationMs: number; renewWithinMs: number; retryMs: number };
}

const LEASE_NAME = "headroom-controller";
const SYNC_CHECK_MS = 50;

export class HeadroomOperator extends Operator {
  readonly #options: HeadroomOperatorOptions;
  readonly #log: Logger;
  readonly #transport: Transport;
  readonly #stores = new StoreSet();
  readonly #runners: ControllerRunner[] = [];
  readonly #watches = new AbortController();
  readonly #stopping = new AbortController();
  readonly #giveUpLease = new AbortController();
  readonly #handlers: EventHandlers[] = [];
  readonly #recorder: KubeEventRecorder;
  readonly #metrics: OperatorMetrics;
  readonly #watching: { unhealthy: string | undefined }[] = [];
  #leader: LeaderElection | undefined;
  #election: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  readonly client: KubeClient;

  constructor(options: HeadroomOperatorOptions) {
    super(options.logger);
    this.kubeConfig = options.config;
    this.k8sApi = options.config.makeApiClient(CoreV1Api);
    this.#options = options;
    this.#log = options.logger;
    this.#transport = new KubeConfigTransport(options.config);
    this.client = new HttpKubeClient(this.#transport);
    this.#metrics = options.metrics ?? new OperatorMetrics();
    this.#recorder = new KubeEventRecorder({
      client: this.client,
      clock: options.clock,
      logger: options.logger,
      component: "headroom-controller",
      instance: options.identity,
    });
  }

  /** What controllers are built with. */
  get context(): ControllerContext {
    const { clock, logger, namespace } = this.#options;
    const { client } = this;
    return { client, stores: this.#stores.shared, events: this.#recorder, clock, logger, namespace };
  }

  /** What still keeps it from working, in a sentence; undefined when every cache is complete. */
  get notReady(): string | undefined {
    if (this.#stopping.signal.aborted) return "stopping";
    const missing = this.#stores.all().flatMap(({ kind, store }) => (store.synced ? [] : [kind.plural]));
    return missing.length === 0 ? undefined : `not yet listed: ${missing.join(", ")}`;
  }

  /**
   * What has stopped or hangs, in a sentence; undefined when all goes on. Only a restart helps against it. While the API server is away a
   * reconcile may wait for it without end: it sees to a frozen pod.
   */
  get unhealthy(): string | undefined {
    const runners = this.#leader?.answered === true ? this.#runners : [];
    const parts = [...this.#watching, ...(this.#leader ? [this.#leader] : []), ...runners];
    return parts.map(({ unhealthy }) => unhealthy).find((wrong) => wrong !== undefined);
  }

  /** Before start. */
  register(controller: Controller): void {
    const { clock, logger } = this.#options;
    const storeFor = (kind: ResourceKind<KubeObject>) => this.#stores.for(kind);
    this.#runners.push(new ControllerRunner({ controller, storeFor, clock, logger, metrics: this.#metrics }));
    for (const { kind } of controller.watches) this.#stores.for(kind);
  }

  /** Starts the watches and takes part in the election; resolves at once. */
  protected override async init(): Promise<void> {
    this.#metrics.watchDepth(() => Object.fromEntries(this.#runners.map(({ name, depth }) => [name, depth])));
    this.#metrics.watchPolicies(() => this.#stores.shared.migrationPolicies.list());
    this.#metrics.watchMoves(() => this.#stores.shared.podMigrations.list());
    for (const { kind, store } of this.#stores.all()) {
      this.#watch(kind, store, (change) => {
        for (const runner of this.#runners) runner.changed(kind, change);
      });
    }
    this.#election = this.#elect();
  }

  /** Ends reconciles within a limit, then gives the lease back and closes the connections. */
  override stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    return this.#stopped;
  }

  async #shutDown(): Promise<void> {
    const { clock, stopWithinMs = 20_000 } = this.#options;
    this.#stopping.abort(new Error("the operator stops"));
    const ended = Promise.all([...this.#runners, ...this.#handlers].map((runner) => runner.stop())).then(() => true);
    const inTime = await Promise.race([ended, sleep(clock, stopWithinMs).then(() => false)]);
    if (!inTime) this.#log.warn("a reconcile did not end in time; the next leader takes it up", { stopWithinMs });
    this.#giveUpLease.abort();
    this.#watches.abort();
    await Promise.race([this.#election, sleep(clock, 6_000)]);
    await Promise.race([this.#recorder.flush(), sleep(clock, 2_000)]);
    await this.#transport.close();
  }

  async #elect(): Promise<void> {
    const { clock, election, hasEnded, identity, leaseName, logger, namespace } = this.#options;
    this.#leader = new LeaderElection({
      // A renewal must fail while there is still time for another one.
      client: new HttpKubeClient(this.#transport, { timeoutMs: 2_000 }),
      lease: { namespace, name: leaseName ?? LEASE_NAME },
      identity,
      clock,
      logger,
      ...election,
      ...(hasEnded ? { hasEnded } : {}),
      lead: (term) => this.#lead(term),
    });
    await this.#leader.run(this.#giveUpLease.signal);
  }

  async #lead(given: Term): Promise<void> {
    const signal = AbortSignal.any([given.signal, this.#stopping.signal]);
    const term: Term = { ...given, signal, outrank: (seen) => this.#outrank(given, seen) };
    while (!this.#stores.synced && !term.signal.aborted) await sleep(this.#options.clock, SYNC_CHECK_MS, term.signal);
    if (term.signal.aborted) return;
    this.#metrics.leading(true);
    for (const runner of this.#runners) runner.start(term);
    await new Promise((resolve) => term.signal.addEventListener("abort", resolve, { once: true }));
    await Promise.all(this.#runners.map((runner) => runner.stop()));
    this.#metrics.leading(false);
  }

  /** An agent refuses this term: `kubectl get events` and the metrics tell of it, for something has set the Lease back. */
  #outrank(term: Term, seen: number): void {
    if (term.signal.aborted) return;
    term.outrank?.(seen);
    if (!term.signal.aborted) return;
    this.#metrics.epochRaised();
    const words = `agents refuse epoch ${term.epoch}: they have seen ${seen}; going on with a higher one, if the lease is still ours`;
    this.#log.warn("epoch raised", { epoch: term.epoch, seen });
    this.#recorder.record(this.#leaseObject(), "Warning", "EpochRaised", words);
  }

  /** Enough of the Lease to hang an event on. */
  #leaseObject(): KubeObject {
    const { leaseName, namespace } = this.#options;
    const metadata = { namespace, name: leaseName ?? LEASE_NAME };
    return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata };
  }

  #watch<T extends KubeObject>(
    kind: ResourceKind<T>,
    store: MemoryStore<T>,
    onChange: (change: Change<T>) => void,
    namespace?: string,
  ): void {
    const watch = new ResourceWatch<T>({
      kind,
      store,
      client: this.client,
      transport: this.#transport,
      clock: this.#options.clock,
      logger: this.#log,
      onChange,
      onInterrupted: (reason) => this.#metrics.interrupted(kind.kind, reason),
      ...(namespace ? { select: { namespace } } : {}),
    });
    this.#watching.push(watch);
    // It never rejects; if it did, the process would end, as it must without this watch.
    void watch.run(this.#watches.signal);
  }

  /**
   * As in the base class: calls back for each added, modified or deleted object of a resource. A callback that rejects
   * is called again with the same event, later and later; one object's events come in order.
   */
  protected override async watchResource(
    group: string,
    version: string,
    plural: string,
    onEvent: (event: ResourceEvent) => Promise<void>,
    namespace?: string,
  ): Promise<void> {
    const kind = await discoverKind(this.client, group, version, plural);
    const handlers = new EventHandlers({ kind, clock: this.#options.clock, logger: this.#log, onEvent });
    this.#handlers.push(handlers);
    this.#watch(kind, new MemoryStore<KubeObject>(), (change) => handlers.push(change), namespace);
  }

  protected override getCustomResourceApiUri(
    group: string,
    version: string,
    plural: string,
    namespace?: string,
  ): string {
    const kind = { group, version, plural, kind: "", namespaced: namespace !== undefined };
    return this.#transport.server + collectionPath(kind, namespace);
  }

  /** Creates the definition that the file holds, unless there is one of its name. */
  protected override registerCustomResourceDefinition(crdFile: string): ReturnType<typeof registerDefinition> {
    return registerDefinition(this.client, crdFile);
  }

  /** Replaces the status, if the object is still the version that `meta` names. Rejects with a KubeError. */
  protected override async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta> {
    const { name, namespace, resourceVersion, apiVersion, kind } = meta;
    const metadata = { name, resourceVersion, ...(namespace ? { namespace } : {}) };
    const written = await this.client.replaceStatus(
      kindFromId(meta),
      statusBody({ apiVersion, kind, metadata }, status),
    );
    return metaFor(meta.id, written);
  }

  /** Merges into the status, if the object is still the version that `meta` names. Rejects with a KubeError. */
  protected override async patchResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta> {
    const body = { metadata: { resourceVersion: meta.resourceVersion }, status };
    const written = await this.client.patch(kindFromId(meta), refOfMeta(meta), body, { subresource: "status" });
    return metaFor(meta.id, written);
  }

  /** As in the base class, but every write is conditional, and a failure rejects instead of being logged away. */
  protected override async handleResourceFinalizer(
    event: ResourceEvent,
    finalizer: string,
    deleteAction: (event: ResourceEvent) => Promise<void>,
  ): Promise<boolean> {
    const object = fromEvent(event);
    if (event.type === ResourceEventType.Deleted) return false;
    const kind = kindFromId(event.meta);
    if (!object.metadata.deletionTimestamp) {
      if (hasFinalizer(object, finalizer)) return false;
      await addFinalizer(this.client, kind, object, finalizer);
      return true;
    }
    if (hasFinalizer(object, finalizer)) {
      await deleteAction(event);
      await removeFinalizer(this.client, kind, object, finalizer);
    }
    return true;
  }

  protected override async setResourceFinalizers(meta: ResourceMeta, finalizers: string[]): Promise<void> {
    const { name, namespace, resourceVersion, apiVersion, kind } = meta;
    const metadata = { name, resourceVersion, ...(namespace ? { namespace } : {}) };
    await writeFinalizers(this.client, kindFromId(meta), { apiVersion, kind, metadata }, finalizers);
  }
}

function statusBody(object: KubeObject, status: unknown): KubeObject {
  return Object.assign(object, { status });
}

function refOfMeta(meta: ResourceMeta): ObjectRef {
  return meta.namespace ? { namespace: meta.namespace, name: meta.name } : { name: meta.name };
}
