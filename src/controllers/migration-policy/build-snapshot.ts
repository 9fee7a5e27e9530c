/** The cluster snapshot out of the controller's stores and what the metrics sources said. Pure but for reading the stores. */
import type { MetricsSourceName } from "../../api/v1alpha1/migration-policy.ts";
import type { PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import type { ControllerContext } from "../../kube/controller.ts";
import { keyOf } from "../../kube/store.ts";
import type { CollectResult } from "../../metrics/source.ts";
import type { ClusterSnapshot, PlanningMemory, PodSnapshot, SourceFigures } from "../../planning/snapshot.ts";
import type { NodeReport } from "../node-reports/report.ts";
import { sourceFigures } from "./collect-figures.ts";
import { moveSnapshots } from "./snapshot-moves.ts";
import { nodeSnapshot, readyAgents } from "./snapshot-nodes.ts";
import { lineageOf, podSnapshot } from "./snapshot-pods.ts";

export interface SnapshotInput {
  context: Pick<ControllerContext, "stores" | "namespace">;
  nowMs: number;
  /** Those in the store, and those just created that it does not have yet. */
  migrations: readonly PodMigration[];
  collected: ReadonlyMap<MetricsSourceName, CollectResult>;
  memory: PlanningMemory | undefined;
  /** What the agents last said of their nodes; a node that is not there has said nothing yet. */
  reports: NodeReports;
}

export type NodeReports = ReadonlyMap<string, NodeReport>;

export function buildSnapshot({
  context,
  nowMs,
  migrations,
  collected,
  memory,
  reports,
}: SnapshotInput): ClusterSnapshot {
  const { stores, namespace } = context;
  const agents = readyAgents(stores.pods.list(namespace), namespace);
  return {
    timeMs: nowMs,
    nodes: stores.nodes
      .list()
      .map((node) => nodeSnapshot(node, agents.get(node.metadata.name), reports.get(node.metadata.name)?.features)),
    pods: podSnapshots(context, migrations),
    moves: moveSnapshots(migrations, (one) => namedPod(context, one)),
    sources: answered(collected),
    ...(memory && { memory }),
  };
}

function namedPod({ stores }: SnapshotInput["context"], { metadata, spec }: PodMigration) {
  return stores.pods.get({ namespace: metadata.namespace, name: spec.podName });
}

function podSnapshots(
  { stores, namespace }: SnapshotInput["context"],
  migrations: readonly PodMigration[],
): PodSnapshot[] {
  const labels = new Map(stores.namespaces.list().map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
  const moved = successesByLineage(migrations);
  return stores.pods.list().flatMap((pod) => {
    const snapshot = podSnapshot(pod, {
      ownNamespace: namespace,
      namespaceLabels: labels.get(pod.metadata.namespace ?? "") ?? {},
      migrations: moved.get(lineageOf(pod)) ?? 0,
    });
    return snapshot === undefined ? [] : [snapshot];
  });
}

function successesByLineage(migrations: readonly PodMigration[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { status } of migrations) {
    if (status?.phase !== "Succeeded" || status.lineage === undefined) continue;
    counts.set(status.lineage, (counts.get(status.lineage) ?? 0) + 1);
  }
  return counts;
}

/** A source that did not answer has no figures at all: nothing is moved, and no node is a target, on what it said before. */
function answered(collected: SnapshotInput["collected"]): Record<string, SourceFigures> {
  return Object.fromEntries(
    [...collected].flatMap(([source, result]) => (result.ok ? [[source, sourceFigures(result.reading)] as const] : [])),
  );
}

/** The store's PodMigrations, and those that were created but have not come back through the watch. */
export function allMigrations(stored: readonly PodMigration[], created: readonly PodMigration[]): PodMigration[] {
  const known = new Set(stored.map(({ metadata }) => keyOf(metadata)));
  return [...stored, ...created.filter(({ metadata }) => !known.has(keyOf(metadata)))];
}
