/** What the operator says of itself to Prometheus. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MigrationPolicy } from "../api/v1alpha1/migration-policy.ts";
import { PHASES, type Phase, type PodMigration } from "../api/v1alpha1/pod-migration.ts";

export class OperatorMetrics {
  readonly registry = new Registry();
  readonly #reconciles = new Counter({
    name: "headroom_reconciles_total",
    help: "Reconciles that ended, by controller and result.",
    labelNames: ["controller", "result"],
    registers: [this.registry],
  });
  readonly #seconds = new Histogram({
    name: "headroom_reconcile_duration_seconds",
    help: "How long reconciles took.",
    labelNames: ["controller"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300],
    registers: [this.registry],
  });
  readonly #interruptions = new Counter({
    name: "headroom_watch_interruptions_total",
    help: "Watches that broke off and were taken up again, by kind and reason.",
    labelNames: ["kind", "reason"],
    registers: [this.registry],
  });
  readonly #epochsRaised = new Counter({
    name: "headroom_epochs_raised_total",
    help: "Terms that were begun because agents had seen a higher epoch: the Lease or etcd was restored from an older state.",
    registers: [this.registry],
  });
  readonly #leading = new Gauge({
    name: "headroom_leading",
    help: "1 while this replica leads.",
    registers: [this.registry],
  });

  /** Adds the process's own: memory, CPU, event loop lag. */
  withProcessMetrics(): this {
    collectDefaultMetrics({ register: this.registry });
    return this;
  }

  reconciled(controller: string, succeeded: boolean, durationMs: number): void {
    this.#reconciles.inc({ controller, result: succeeded ? "success" : "error" });
    this.#seconds.observe({ controller }, durationMs / 1000);
  }

  interrupted(kind: string, reason: string): void {
    this.#interruptions.inc({ kind, reason });
  }

  epochRaised(): void {
    this.#epochsRaised.inc();
  }

  leading(is: boolean): void {
    this.#leading.set(is ? 1 : 0);
  }

  /** @param depth asked whenever the metrics are read. */
  watchDepth(depth: () => Record<string, number>): void {
    new Gauge({
      name: "headroom_queue_depth",
      help: "Keys that wait to be reconciled, by controller.",
      labelNames: ["controller"],
      registers: [this.registry],
      collect() {
        for (const [controller, waiting] of Object.entries(depth())) this.set({ controller }, waiting);
      },
    });
  }

  /** @param policies asked whenever the metrics are read. */
  watchPolicies(policies: () => readonly MigrationPolicy[]): void {
    new Gauge({
      name: "headroom_nodes_full",
      help: "1 while a pod should move and no node has room for it: the time to add a node. By policy.",
      labelNames: ["policy"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { metadata, status } of policies()) {
          const full = status?.conditions?.some((one) => one.type === "NodesFull" && one.status === "True") === true;
          this.set({ policy: metadata.name }, full ? 1 : 0);
        }
      },
    });
    new Gauge({
      name: "headroom_nodes_pressured",
      help: "Nodes that are or will be short of memory, by policy.",
      labelNames: ["policy"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { metadata, status } of policies()) {
          this.set({ policy: metadata.name }, status?.counts?.pressured ?? 0);
        }
      },
    });
  }

  /** @param moves asked whenever the metrics are read. */
  watchMoves(moves: () => readonly PodMigration[]): void {
    new Gauge({
      name: "headroom_pod_migrations",
      help: "PodMigrations on record, by phase.",
      labelNames: ["phase"],
      registers: [this.registry],
      collect() {
        const counts = new Map<Phase, number>(PHASES.map((phase) => [phase, 0]));
        for (const { status } of moves()) {
          const phase = status?.phase ?? "Pending";
          counts.set(phase, (counts.get(phase) ?? 0) + 1);
        }
        for (const [phase, count] of counts) this.set({ phase }, count);
      },
    });
    new Gauge({
      name: "headroom_pod_migrations_frozen_seconds",
      help: "Seconds for which the pods of the PodMigrations on record were frozen, by phase.",
      labelNames: ["phase"],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { status } of moves())
          this.inc({ phase: status?.phase ?? "Pending" }, (status?.freezeMilliseconds ?? 0) / 1000);
      },
    });
  }
}
