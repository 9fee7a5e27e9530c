/** The MigrationPolicy controller in a small cluster: an API server in memory, stores, a clock, figures as a test sets them. */
import type { z } from "zod";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import {
  MIGRATION_POLICIES,
  type MigrationPolicy,
  migrationPolicySpecSchema,
} from "../../../src/api/v1alpha1/migration-policy.ts";
import { type Phase, POD_MIGRATIONS, type PodMigration } from "../../../src/api/v1alpha1/pod-migration.ts";
import { migrationPolicyController } from "../../../src/controllers/migration-policy/controller.ts";
import type { NodeReport } from "../../../src/controllers/node-reports/report.ts";
import type { KubeObject, ResourceKind } from "../../../src/kube/client.ts";
import type { ReconcileResult } from "../../../src/kube/controller.ts";
import { NAMESPACES, NODES, PODS } from "../../../src/kube/resources.ts";
import { StoreSet } from "../../../src/kube/stores.ts";
import { silentLogger } from "../../../src/logging/logger.ts";
import type { CollectResult, Measurement } from "../../../src/metrics/source.ts";
import type { Series } from "../../../src/planning/snapshot.ts";
import { ManualClock } from "../../support/moving-world/manual-clock.ts";
import { MemoryKube } from "../../support/moving-world/memory-kube.ts";

export const MIB = 2 ** 20;
const NAMESPACE = "headroom-system";
const NO_SERIES = { timesMs: new Float64Array(), bytes: new Float64Array() };

export type Spec = z.input<typeof migrationPolicySpecSchema>;

export class PolicyBench {
  readonly clock = new ManualClock();
  readonly kube = new MemoryKube(() => this.clock.now());
  readonly #stores = new StoreSet();
  readonly events: { about: string; reason: string; message: string }[] = [];
  /** What nodes (by name) and pods (by name) use, in MiB; undefined: no figure. */
  used: Record<string, number> = {};
  /** By how many MiB it grows in a minute from now on, as it did in the half hour before; those that are not here have no series. */
  growing: Record<string, number> = {};
  readonly #startMs = this.clock.now();
  /** How long ago it was measured. */
  ageSeconds = 1;
  unavailable: { reason: "Unreachable"; message: string } | undefined;
  collections = 0;
  epoch = 1;
  /** What the agents have said of their nodes. */
  readonly reports = new Map<string, NodeReport>();
  readonly controller = migrationPolicyController(
    {
      client: this.kube,
      stores: this.#stores.shared,
      events: {
        record: (about, _type, reason, message) =>
          void this.events.push({ about: `${about.kind}/${about.metadata.name}`, reason, message }),
      },
      clock: this.clock,
      logger: silentLogger,
      namespace: NAMESPACE,
    },
    () => this.#collect(),
    this.reports,
  );

  async addNode(name: string, mebibytes: number, usedMebibytes: number): Promise<void> {
    this.used[name] = usedMebibytes;
    const memory = `${mebibytes}Mi`;
    await this.kube.create(NODES, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name },
      spec: {},
      status: {
        capacity: { memory, pods: "110" },
        allocatable: { memory, pods: "110" },
        conditions: [{ type: "Ready", status: "True" }],
      },
    });
    const labels = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
    await this.addPod(`agent-${name}`, name, 1, { namespace: NAMESPACE, labels });
  }

  async addPod(
    name: string,
    nodeName: string,
    usedMebibytes: number,
    { namespace = "default", labels = { tier: "batch" } }: { namespace?: string; labels?: Record<string, string> } = {},
  ): Promise<void> {
    this.used[name] = usedMebibytes;
    await this.kube.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels },
      spec: { nodeName, containers: [{ name: "main", image: "x" }] },
      status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: "True", lastProbeTime: "", lastTransitionTime: "" }],
        containerStatuses: [
          { name: "main", image: "x", imageID: "x@sha256:1", ready: true, restartCount: 0, state: { running: {} } },
        ],
      },
    } as never); // as far as the controller reads a pod
  }

  async addPolicy(name: string, spec: Partial<Spec> = {}): Promise<void> {
    const full = { mode: "Enforce" as const, podSelector: { matchLabels: { tier: "batch" } }, ...spec };
    await this.kube.create(MIGRATION_POLICIES, {
      apiVersion: API_VERSION,
      kind: "MigrationPolicy",
      metadata: { name, generation: 1 },
      spec: migrationPolicySpecSchema.parse(full),
    });
  }

  /** One evaluation, the stores brought up to date before. */
  async evaluate(stale: { podMigrations?: boolean } = {}): Promise<ReconcileResult> {
    if (!this.kube.peek(NAMESPACES, { name: "default" })) {
      for (const name of ["default", NAMESPACE]) {
        await this.kube.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
      }
    }
    const kinds: ResourceKind<KubeObject>[] = [NODES, PODS, NAMESPACES, MIGRATION_POLICIES, POD_MIGRATIONS];
    for (const kind of kinds.filter((one) => !(stale.podMigrations && one === POD_MIGRATIONS))) {
      this.#stores.for(kind).replaceAll(structuredClone(this.kube.all(kind)));
    }
    const term = { epoch: this.epoch, signal: new AbortController().signal };
    return (await this.controller.reconcile({ name: "all-policies" }, term)) ?? {};
  }

  /** Lets so many seconds pass first. */
  async evaluateAfter(seconds: number): Promise<ReconcileResult> {
    this.clock.advance(seconds * 1000);
    return this.evaluate();
  }

  moves(): PodMigration[] {
    return this.kube.all(POD_MIGRATIONS);
  }

  /** As the move's own controller would leave it. */
  finish(migration: PodMigration, phase: Phase): void {
    this.kube.change(POD_MIGRATIONS, migration.metadata, (found) => {
      const pod = this.kube.peek(PODS, { namespace: found.metadata.namespace, name: found.spec.podName });
      const uid = pod?.metadata.uid ?? "gone";
      found.status = {
        ...found.status,
        phase,
        phaseTransitions: [],
        containers: [],
        timings: {},
        conditions: [],
        sourcePodUID: uid,
        lineage: uid,
        sourceNode: pod?.spec.nodeName ?? "",
        completionTime: new Date(this.clock.now()).toISOString(),
      };
    });
  }

  policy(name: string): MigrationPolicy {
    const found = this.kube.peek(MIGRATION_POLICIES, { name });
    if (!found) throw new Error(`there is no policy ${name}`);
    return found;
  }

  condition(policy: string, type: string): string | undefined {
    const found = this.policy(policy).status?.conditions?.find((one) => one.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  taints(node: string): unknown[] {
    return this.kube.peek(NODES, { name: node })?.spec?.taints ?? [];
  }

  #useAt(name: string, timeMs: number): number | undefined {
    const used = this.used[name];
    return used && used + ((this.growing[name] ?? 0) * (timeMs - this.#startMs)) / 60_000;
  }

  #series(name: string, nowMs: number): Series {
    const timesMs = Float64Array.from({ length: 121 }, (_, index) => nowMs - (120 - index) * 15_000);
    return { timesMs, bytes: timesMs.map((timeMs) => Math.max(0, (this.#useAt(name, timeMs) ?? 0) * MIB)) };
  }

  async #collect(): Promise<CollectResult> {
    this.collections++;
    if (this.unavailable) return { ok: false, error: this.unavailable };
    const nowMs = this.clock.now();
    const measured = (name: string): Measurement => {
      const used = this.#useAt(name, nowMs);
      const known = { usedBytes: (used ?? 0) * MIB, sampledAtMs: nowMs - this.ageSeconds * 1000 };
      const none = { usedBytes: undefined, sampledAtMs: undefined };
      const series = name in this.growing ? this.#series(name, nowMs) : NO_SERIES;
      return { series, suspect: false, rejections: [], ...(used === undefined ? none : known) };
    };
    const nodes = new Map(this.kube.all(NODES).map(({ metadata }) => [metadata.name, measured(metadata.name)]));
    const pods = new Map(this.kube.all(PODS).map(({ metadata }) => [metadata.uid ?? "", measured(metadata.name)]));
    return { ok: true, reading: { source: "InfluxDB", takenAtMs: nowMs, nodes, pods } };
  }
}

/** small has 1000 MiB and 900 used, 500 of them by the pod `worker`; big has 4000 MiB and 200 used. */
export async function pressedCluster(spec: Partial<Spec> = {}): Promise<PolicyBench> {
  const bench = new PolicyBench();
  await bench.addNode("small", 1000, 900);
  await bench.addNode("big", 4000, 200);
  await bench.addPod("worker", "small", 500);
  await bench.addPolicy("batch", spec);
  return bench;
}
