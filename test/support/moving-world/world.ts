/** A small cluster in which one pod is moved: three nodes, one PodMigration, stock controllers, a controller that may die. */
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import {
  FINAL_PHASES,
  POD_MIGRATIONS,
  type PodMigration,
  type PodMigrationSpec,
} from "../../../src/api/v1alpha1/pod-migration.ts";
import type {
  ChoosePlacement,
  ExpectFreeze,
  MoveDependencies,
} from "../../../src/controllers/pod-migration/dependencies.ts";
import { JOB_TRACKING } from "../../../src/controllers/pod-migration/hand-over/belongings.ts";
import { sweepLeftovers } from "../../../src/controllers/pod-migration/leftovers.ts";
import { reconcileMove } from "../../../src/controllers/pod-migration/reconciler.ts";
import type { LastSeen } from "../../../src/controllers/pod-migration/run.ts";
import { KubeError, type ObjectRef } from "../../../src/kube/client.ts";
import { sleep } from "../../../src/kube/clock.ts";
import { JOBS, NAMESPACES, NODES, PODS, type Pod, REPLICA_SETS } from "../../../src/kube/resources.ts";
import { silentLogger } from "../../../src/logging/logger.ts";
import { learnFreezeCosts } from "../../../src/planning/cost/freeze-costs.ts";
import { ManualClock } from "./manual-clock.ts";
import { MemoryKube } from "./memory-kube.ts";
import { Crash, type Fate, Lifetime, mortal } from "./mortal.ts";
import { SimulatedKubelets } from "./simulated-kubelets.ts";
import { SimulatedNodes } from "./simulated-nodes.ts";
import { sourcePod } from "./source-pod.ts";
import { StockControllers } from "./stock-controllers.ts";

export type OwnerKind = "none" | "ReplicaSet" | "Job";
const POD = { namespace: "default", name: "counter" };
export const MOVE = { namespace: "default", name: "move" };
/** Reconcile runs after which a move that hasn't ended never will. */
const RUN_LIMIT = 500;
/** A leader that has not renewed its lease for so long stops leading. */
const LEASE_ENDS_MS = 6_000;

export class World {
  readonly clock = new ManualClock();
  readonly kube = new MemoryKube(() => this.clock.now());
  readonly nodes = new SimulatedNodes(["z1", "z2", "z3"], () => this.clock.now());
  readonly kubelets = new SimulatedKubelets(this.kube, this.nodes, () => this.clock.now());
  readonly controllers = new StockControllers(this.kube);
  readonly events: string[] = [];
  expectFreeze: ExpectFreeze = learnFreezeCosts([]).expect;
  placement: ChoosePlacement = async ({ targetNode }) => ({ ok: true, node: targetNode ?? "z2" });
  epoch = 1;
  #sourceUID = "";
  #sourceLabels: Record<string, string> = {};
  #targetUID: string | undefined;
  /** Then only a sweep brings it to an end. */
  #tornOut = false;
  /** Called before each reconcile run. */
  beforeRun: (run: number) => void | Promise<void> = () => {};

  static async with(
    owner: OwnerKind = "none",
    edit: (pod: Pod) => void = () => {},
    spec: Partial<PodMigrationSpec> = {},
  ) {
    const world = new World();
    await world.#populate(owner, edit, spec);
    return world;
  }

  async #populate(owner: OwnerKind, edit: (pod: Pod) => void, spec: Partial<PodMigrationSpec>): Promise<void> {
    await this.kube.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    for (const name of ["z1", "z2", "z3"])
      await this.kube.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name } });
    const pod = sourcePod();
    if (owner !== "none") await this.#own(pod, owner);
    edit(pod);
    const made = await this.kube.create(PODS, pod);
    this.#sourceUID = made.metadata.uid ?? "";
    this.nodes.set(this.#sourceUID, "running");
    this.#sourceLabels = { ...made.metadata.labels };
    this.kube.onChange = () => {
      this.#lookAtServices();
      this.controllers.syncReplicaSets();
    };
    this.nodes.onRelease = (podUID) => this.#lookAtNetworkPolicies(podUID);
    const migration: PodMigration = {
      apiVersion: API_VERSION,
      kind: "PodMigration",
      metadata: { ...MOVE },
      spec: { podName: POD.name, timeout: "10m", tcp: "Refuse" as const, cancel: false, ...spec },
    };
    await this.kube.create(POD_MIGRATIONS, migration);
  }

  /** A NetworkPolicy selects by any label: a copy without one of them runs unprotected. */
  #lookAtNetworkPolicies(podUID: string): void {
    const labels = this.kube.all(PODS).find(({ metadata }) => metadata.uid === podUID)?.metadata.labels ?? {};
    const missing = Object.entries(this.#sourceLabels).filter(([key, value]) => labels[key] !== value);
    for (const [key] of missing) this.nodes.accidents.push(`a copy runs without label ${key}`);
  }

  /** A Service sends to every pod that is ready and has its labels. */
  #lookAtServices(): void {
    for (const { metadata, status } of this.kube.all(PODS)) {
      const ready = status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True");
      const sent = ready && metadata.labels?.app === "counter";
      if (sent && this.nodes.copy(metadata.uid ?? "") === "held")
        this.nodes.accidents.push("a Service sends to a held copy");
    }
  }

  async #own(pod: Pod, owner: "ReplicaSet" | "Job"): Promise<void> {
    const metadata = { name: "owner", namespace: "default" };
    // Without a Deployment: no label but the workload's own keeps the copy apart.
    const matchLabels = owner === "Job" ? { "batch.kubernetes.io/controller-uid": "job" } : { app: "counter" };
    pod.metadata.labels = { ...pod.metadata.labels, ...matchLabels };
    const spec = { replicas: 1, parallelism: 1, selector: { matchLabels }, template: {} };
    const made =
      owner === "Job"
        ? await this.kube.create(JOBS, { apiVersion: "batch/v1", kind: "Job", metadata, spec })
        : await this.kube.create(REPLICA_SETS, { apiVersion: "apps/v1", kind: "ReplicaSet", metadata, spec });
    const { apiVersion, kind } = made;
    const uid = made.metadata.uid ?? "";
    pod.metadata.ownerReferences = [
      { apiVersion, kind, name: "owner", uid, controller: true, blockOwnerDeletion: true },
    ];
    if (owner === "Job") {
      pod.metadata.finalizers = [JOB_TRACKING];
      pod.spec.restartPolicy = "Never";
    }
  }

  get move(): PodMigration | undefined {
    return this.kube.peek(POD_MIGRATIONS, MOVE);
  }
  get phase(): string | undefined {
    return this.move?.status?.phase;
  }
  get source(): Pod | undefined {
    return this.kube.peek(PODS, POD);
  }
  get target(): Pod | undefined {
    return this.kube.peek(PODS, { namespace: "default", name: this.move?.status?.targetPodName ?? "?" });
  }

  get copyOfSource() {
    return this.nodes.copy(this.#sourceUID);
  }
  get copyOfTarget() {
    return this.nodes.copy(this.#targetUID ?? "");
  }
  /** What the agents still know of moves. */
  get records() {
    return ["z1", "z2", "z3"].flatMap((node) => this.nodes.recordsOf(node));
  }

  /** A second controller is elected and brings the move to its end, while the first is held up in a call. */
  async anotherLeads(): Promise<void> {
    this.epoch++;
    await this.toTheEnd();
  }

  /** What the controller does now and then beside its moves. */
  sweep(): Promise<void> {
    const term = { epoch: this.epoch, signal: new AbortController().signal };
    return sweepLeftovers(this.dependencies(new Lifetime()), term);
  }

  editMove(edit: (move: PodMigration) => void): void {
    this.kube.change(POD_MIGRATIONS, MOVE, edit);
  }

  tearOut(): void {
    this.#tornOut = true;
    this.kube.tearOut(POD_MIGRATIONS, MOVE);
  }

  moveNamed(name: string): PodMigration | undefined {
    return this.kube.peek(POD_MIGRATIONS, { ...MOVE, name });
  }

  /** A second PodMigration of the same pod. */
  async anotherMove(name: string, changes: Partial<PodMigrationSpec> = {}): Promise<ObjectRef> {
    const first = this.move?.spec ?? { podName: POD.name, timeout: "10m", tcp: "Refuse" as const, cancel: false };
    const spec = { ...structuredClone(first), ...changes };
    const { metadata } = await this.kube.create(POD_MIGRATIONS, {
      apiVersion: API_VERSION,
      kind: "PodMigration",
      metadata: { ...MOVE, name },
      spec,
    });
    return metadata;
  }

  async reconcile(key: ObjectRef): Promise<void> {
    const term = { epoch: this.epoch, signal: new AbortController().signal };
    await reconcileMove(this.dependencies(new Lifetime()), key, term);
  }

  deleteMove(): Promise<void> {
    return this.kube.delete(POD_MIGRATIONS, MOVE);
  }

  dependencies(fate: Fate): MoveDependencies {
    return {
      client: mortal(this.#reachable(), fate),
      driver: mortal(this.nodes, fate),
      clock: this.clock,
      events: { record: (_about, _type, reason, message) => void this.events.push(`${reason}: ${message}`) },
      logger: silentLogger,
      choosePlacement: this.placement,
      expectFreeze: this.expectFreeze,
      namespace: "headroom-system",
    };
  }

  /** What the controller knows of the move from its runs before. */
  #seen: LastSeen = {};

  /** A leader that cannot renew its lease stops leading. */
  #endsWithApi(term: AbortController): void {
    const look = () => {
      if (term.signal.aborted) return;
      if (this.apiAway) this.clock.after(LEASE_ENDS_MS, () => (this.apiAway ? term.abort() : undefined));
      else this.clock.after(500, look);
    };
    look();
  }

  /** How long ago the leader renewed its lease. */
  leaseAgeMs = 0;
  /** "refused", or "silent": a request hangs for ever. What was under way when it went away may still have been written. */
  apiAway: "refused" | "silent" | undefined;

  #reachable(): MemoryKube {
    return new Proxy(this.kube, {
      get: (kube, name) => {
        const member: unknown = Reflect.get(kube, name);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          if (this.apiAway === "silent") return new Promise(() => {});
          if (this.apiAway) return Promise.reject(new KubeError("Unavailable", `${String(name)}: connection refused`));
          return member.apply(kube, given);
        };
      },
    });
  }

  /** Lets time pass, half a second at a time, while something waits for it. */
  async pass(seconds: number): Promise<void> {
    for (let step = 0; step < seconds * 2; step++) {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(500);
    }
  }

  /** One reconcile run, and the time and the other components' work until the next. False once the controller has died. */
  async run(fate: Fate): Promise<boolean> {
    const deps = this.dependencies(fate);
    const renewedAgoMs = () => this.leaseAgeMs;
    const ended = new AbortController();
    const term = { epoch: this.epoch, signal: ended.signal, renewedAgoMs };
    this.#endsWithApi(ended);
    try {
      const { requeueAfterMs = 100 } = await reconcileMove(deps, MOVE, term, this.#seen);
      ended.abort();
      // While the API is away the test itself lets time pass.
      if (this.apiAway) await sleep(this.clock, requeueAfterMs);
      else this.#pass(requeueAfterMs);
      return true;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#seen = {};
      this.epoch++;
      this.#pass(2_000);
      return false;
    }
  }

  #pass(milliseconds: number): void {
    this.#targetUID = this.move?.status?.targetPodUID ?? this.#targetUID;
    this.clock.advance(milliseconds);
    this.kubelets.tick();
    this.controllers.syncJobs();
    this.controllers.collectGarbage();
    this.kubelets.tick();
  }

  get ended(): boolean {
    const { move } = this;
    return (
      move === undefined || (FINAL_PHASES.has(move.status?.phase ?? "Pending") && !move.metadata.finalizers?.length)
    );
  }

  /** Runs the move to its end. A controller that dies is followed by the next fate's, at last by an immortal one. */
  async toTheEnd(...fates: Fate[]): Promise<void> {
    let fate = fates.shift() ?? new Lifetime();
    for (let run = 0; run < RUN_LIMIT; run++) {
      await this.beforeRun(run);
      if (!(await this.run(fate))) fate = fates.shift() ?? new Lifetime();
      if (!this.ended) continue;
      this.#pass(2_000);
      // Frozen or held at the end is as bad as dead: nobody is left to let it go.
      if (this.nodes.running !== 1 && !this.#tornOut)
        this.nodes.accidents.push(`${this.nodes.running} running copies at the end`);
      return;
    }
    throw new Error(`the move does not end: ${this.phase}: ${this.move?.status?.message}`);
  }
}
