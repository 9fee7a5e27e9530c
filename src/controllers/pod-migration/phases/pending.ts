/** Pending: finds the pod, pins it, and puts the finalizer on. Nothing but the PodMigration itself is touched. */
import { LINEAGE_LABEL } from "../../../api/v1alpha1/group.ts";
import { FINAL_PHASES, POD_MIGRATIONS, type PodMigration } from "../../../api/v1alpha1/pod-migration.ts";
import { PODS, type Pod } from "../../../kube/resources.ts";
import { isProtected, protect } from "../finalizer.ts";
import { advance, type Outcome, type StatusChanges } from "../outcome.ts";
import type { Move, MoveRun } from "../run.ts";

export async function pending(run: MoveRun): Promise<Outcome> {
  const { deps, move } = run;
  const { namespace } = move.metadata;
  const pod = await deps.client.get(PODS, { namespace, name: move.spec.podName });
  if (pod?.metadata.uid === undefined) {
    return advance("Failed", "PodNotFound", `there is no pod ${namespace}/${move.spec.podName}`);
  }
  const { items } = await deps.client.list(POD_MIGRATIONS, { namespace });
  const rival = items.find((other) => comesFirst(other, move, pod.metadata.uid));
  if (rival) {
    return advance("Failed", "AlreadyMoving", `PodMigration ${rival.metadata.name} moves this pod and has not ended`);
  }
  if (!isProtected(move)) {
    await protect(deps, move, lineageOf(pod));
    return { kind: "reread" };
  }
  return advance(
    "Preflight",
    "Accepted",
    `pod ${pod.metadata.name} on node ${pod.spec.nodeName ?? "(none)"}`,
    pinned(pod),
  );
}

/** The first pod's UID: what a pod, its moves and its successors have in common. */
function lineageOf(pod: Pod): string {
  return pod.metadata.labels?.[LINEAGE_LABEL] ?? pod.metadata.uid ?? "";
}

function pinned(pod: Pod): StatusChanges {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return {
    lineage: lineageOf(pod),
    ...(pod.metadata.uid === undefined ? {} : { sourcePodUID: pod.metadata.uid }),
    ...(pod.spec.nodeName === undefined ? {} : { sourceNode: pod.spec.nodeName }),
    ...(owner === undefined
      ? {}
      : { owner: { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name, uid: owner.uid } }),
  };
}

/**
 * Two moves of one pod: the one that was created first goes on, by a rule under which both see the same order, whichever is
 * looked at first. One that has already pinned the pod goes first in any case, a dry run never.
 */
function comesFirst(other: PodMigration, move: Move, podUID: string | undefined): boolean {
  const { status } = other;
  if (other.spec.dryRun || other.metadata.uid === move.metadata.uid || FINAL_PHASES.has(status?.phase ?? "Pending"))
    return false;
  if (status?.sourcePodUID !== undefined || status?.targetPodUID !== undefined) {
    return status.sourcePodUID === podUID || status.targetPodUID === podUID;
  }
  return other.spec.podName === move.spec.podName && created(other) < created(move);
}

function created(migration: PodMigration): string {
  return `${new Date(migration.metadata.creationTimestamp ?? 0).toISOString()} ${migration.metadata.uid}`;
}
