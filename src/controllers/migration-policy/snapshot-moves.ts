/** PodMigrations as planning sees them. Pure. */
import { LINEAGE_LABEL } from "../../api/v1alpha1/group.ts";
import { NOT_CARRIED, type PodMigration, PROGRAM_FAILED } from "../../api/v1alpha1/pod-migration.ts";
import type { Pod } from "../../kube/resources.ts";
import type { MoveSnapshot } from "../../planning/snapshot.ts";

const optionalTime = (text: string | undefined) => {
  const milliseconds = Date.parse(text ?? "");
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
};

/** Dry runs are left out: they move nothing, whatever became of them. */
export function moveSnapshots(
  migrations: readonly PodMigration[],
  podOf: (migration: PodMigration) => Pod | undefined,
): MoveSnapshot[] {
  return migrations.filter(({ spec }) => !spec.dryRun).map((one) => moveSnapshot(one, podOf(one)));
}

/** `pod`: the one that the move names, as far as it is there; used until the move has pinned its own figures. */
export function moveSnapshot(migration: PodMigration, pod: Pod | undefined): MoveSnapshot {
  const { metadata, spec, status } = migration;
  const containers = status?.containers ?? [];
  const fields = {
    podUID: status?.sourcePodUID ?? pod?.metadata.uid,
    lineage: status?.lineage ?? metadata.labels?.[LINEAGE_LABEL],
    policy: spec.policyName,
    to: status?.targetNode ?? spec.targetNode,
    startedAtMs: optionalTime(status?.startTime),
    finishedAtMs: optionalTime(status?.completionTime),
    freezeMilliseconds: status?.freezeMilliseconds,
    filesBytes: known(containers.map((container) => container.filesBytes)),
    memoryFilesBytes: known(containers.map((container) => container.memoryFilesBytes)),
    transferredBytes: known(containers.map((container) => container.transferredBytes)),
    notCarried: status?.reason === NOT_CARRIED ? true : undefined,
    programFailed: status?.reason === PROGRAM_FAILED ? true : undefined,
  };
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    pod: spec.podName,
    from: status?.sourceNode ?? pod?.spec.nodeName ?? "",
    memoryBytes: containers.reduce((sum, container) => sum + container.memoryBytes, 0),
    phase: status?.phase ?? "Pending",
    ...defined(fields),
  };
}

/** The containers' sum; undefined: not known of any. */
function known(bytes: readonly (number | undefined)[]): number | undefined {
  const all = bytes.filter((one) => one !== undefined);
  return all.length === 0 ? undefined : all.reduce((sum, one) => sum + one, 0);
}

/** Without the members that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only undefined members are dropped, which is what the type says.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
