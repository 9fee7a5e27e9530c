/** The cluster as it is now, gathered once: what the controller keeps in its stores, and what the metrics sources say. */
import type { MetricsSourceName, MigrationPolicy } from "../../api/v1alpha1/migration-policy.ts";
import { MIGRATION_POLICIES } from "../../api/v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS } from "../../api/v1alpha1/pod-migration.ts";
import { buildSnapshot } from "../../controllers/migration-policy/build-snapshot.ts";
import { readPolicies } from "../../controllers/migration-policy/read-policies.ts";
import { readReports } from "../../controllers/node-reports/published-reports.ts";
import { type KubeClient, KubeError, type KubeObject, type ResourceKind } from "../../kube/client.ts";
import { NAMESPACES, NODES, PODS } from "../../kube/resources.ts";
import { StoreSet } from "../../kube/stores.ts";
import { collectRequest } from "../../metrics/live.ts";
import type { CollectResult } from "../../metrics/source.ts";
import type { MetricsSources } from "../../metrics/sources.ts";
import type { Policy } from "../../planning/policy.ts";
import type { ClusterSnapshot } from "../../planning/snapshot.ts";
import { CommandFailure } from "../failure.ts";

type ListingClient = Pick<KubeClient, "list">;
export type ReadingClient = Pick<KubeClient, "list" | "get">;

/** The cluster's own policies; throws a CommandFailure naming each that cannot be read. */
export async function clusterPolicies(client: ListingClient): Promise<Policy[]> {
  const objects: MigrationPolicy[] = await listOrNone(client, MIGRATION_POLICIES);
  const { policies, wrong } = readPolicies(objects);
  if (wrong.length > 0) {
    throw new CommandFailure(wrong.map(({ object, message }) => `${object.metadata.name}: ${message}`).join("\n"));
  }
  return policies.map(({ policy }) => policy);
}

export interface LiveInput {
  client: ReadingClient;
  sources: MetricsSources;
  /** Metrics sources that the policies read. */
  wanted: readonly MetricsSourceName[];
  nowMs: number;
  /** Headroom's own. */
  namespace: string;
}

/** Throws a CommandFailure when a source has no answer. What the controller remembers is not in it. */
export async function liveSnapshot({ client, sources, wanted, nowMs, namespace }: LiveInput): Promise<ClusterSnapshot> {
  const set = new StoreSet();
  const fill = async <T extends KubeObject>(kind: ResourceKind<T>) =>
    set.for(kind).replaceAll(await listOrNone(client, kind));
  await Promise.all([fill(NODES), fill(PODS), fill(NAMESPACES), fill(POD_MIGRATIONS)]);
  const stores = set.shared;
  const reports = await readReports(client, namespace);
  const request = collectRequest(nowMs, stores.nodes.list(), stores.pods.list());
  const collected = new Map<MetricsSourceName, CollectResult>();
  for (const name of wanted) {
    const result = await sources[name].collect(request);
    if (!result.ok) throw new CommandFailure(result.error.message);
    collected.set(name, result);
  }
  const migrations = stores.podMigrations.list();
  return buildSnapshot({ context: { stores, namespace }, nowMs, migrations, collected, memory: undefined, reports });
}

/** Before Headroom is installed its kinds do not exist, and a plan can be made all the same. */
async function listOrNone<T extends KubeObject>(client: ListingClient, kind: ResourceKind<T>): Promise<T[]> {
  try {
    return (await client.list(kind)).items;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return [];
    throw error;
  }
}
