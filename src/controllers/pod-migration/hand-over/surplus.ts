/**
 * Removes the pod that an owner made while the source was no longer its own and the target not yet. It is taken from its owner
 * first: a Job would count a program that ends well when it is told to end as the work done, and stop the moved pod.
 */
import { GROUP } from "../../../api/v1alpha1/group.ts";
import { JOBS, PODS, type Pod, REPLICA_SETS } from "../../../kube/resources.ts";
import { deletePod } from "../pods.ts";
import type { MoveRun } from "../run.ts";
import { enteredAtMs } from "../status.ts";
import { JOB_TRACKING } from "./belongings.ts";
import type { MovePods } from "./observe.ts";

/** On a pod that was taken from its owner to be deleted: the move's UID. A successor of a controller that died in between finds it by this. */
const SURPLUS_LABEL = `${GROUP}/surplus-of-move`;

/** The owner is read before its pods: what it deletes to reach its present size is being deleted in the list. */
export async function removeSurplus(run: MoveRun, pods: MovePods): Promise<void> {
  const { owner } = run.move.status;
  if (owner === undefined || pods.target === undefined) return;
  const { namespace } = run.move.metadata;
  const desired = await desiredPods(run);
  const { items } = await run.deps.client.list(PODS, { namespace });
  for (const pod of items.filter((item) => isTaken(run, item))) await deletePod(run.deps.client, pod, graceOf(pod));
  if (desired === undefined) return;
  const owned = items.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid));
  const frozenMs = enteredAtMs(run.move.status, "Frozen") ?? Number.POSITIVE_INFINITY;
  const surplus = surplusAmong(owned, desired, { keep: pods.target, leaving: pods.source, frozenMs });
  for (const pod of surplus) {
    const words = `pod ${pod.metadata.name} was made by its ${owner.kind} while ${pods.target.metadata.name} was being handed over, and is removed`;
    run.deps.events.record(run.move, "Warning", "ReplacementRemoved", words);
    run.deps.events.record(pod, "Warning", "ReplacementRemoved", words);
    // Said first: should the controller die now, its successor finds the pod, but could not find out that there had been one.
    await takeFromOwner(run, pod, owner.uid);
    await deletePod(run.deps.client, pod, graceOf(pod));
  }
}

/** It may serve already. The default is Kubernetes' own. */
const graceOf = ({ spec }: Pod): number => spec.terminationGracePeriodSeconds ?? 30;

function isTaken(run: MoveRun, { metadata }: Pod): boolean {
  return metadata.labels?.[SURPLUS_LABEL] === run.move.metadata.uid && metadata.deletionTimestamp === undefined;
}

async function takeFromOwner(run: MoveRun, { metadata }: Pod, ownerUID: string): Promise<void> {
  const none = Object.fromEntries(Object.keys(metadata.labels ?? {}).map((key) => [key, null]));
  const ref = { namespace: metadata.namespace, name: metadata.name };
  await run.deps.client.patch(PODS, ref, {
    metadata: {
      uid: metadata.uid,
      labels: { ...none, [SURPLUS_LABEL]: run.move.metadata.uid },
      ownerReferences: (metadata.ownerReferences ?? []).filter(({ uid }) => uid !== ownerUID),
      finalizers: (metadata.finalizers ?? []).filter((finalizer) => finalizer !== JOB_TRACKING),
    },
  });
}

/** How many pods the owner wants to run; undefined when it is gone, or has yet to act on its new size: then it removes pods itself. */
async function desiredPods(run: MoveRun): Promise<number | undefined> {
  const { owner } = run.move.status;
  const ref = { namespace: run.move.metadata.namespace, name: owner?.name ?? "" };
  if (owner?.kind === "Job") {
    const job = await run.deps.client.get(JOBS, ref);
    const { parallelism = 1, completions } = job?.spec ?? {};
    const left = completions === undefined ? parallelism : completions - (job?.status?.succeeded ?? 0);
    return job === undefined ? undefined : Math.min(parallelism, left);
  }
  const replicaSet = await run.deps.client.get(REPLICA_SETS, ref);
  if (replicaSet === undefined || replicaSet.status?.observedGeneration !== replicaSet.metadata.generation)
    return undefined;
  return replicaSet.spec?.replicas ?? 1;
}

/**
 * The youngest pods beyond what is wanted that were made since the freeze: until then the source was its owner's, and nothing replaced
 * it. A source that is evicted while it is frozen is replaced before the commit. Never the target. Pure.
 */
export function surplusAmong(
  owned: Pod[],
  desired: number,
  { keep, leaving, frozenMs }: { keep: Pod; leaving: Pod | undefined; frozenMs: number },
): Pod[] {
  const active = owned.filter((pod) => isActive(pod) && pod.metadata.uid !== leaving?.metadata.uid);
  const excess = Math.max(0, active.length - desired);
  // Pods are dated in whole seconds.
  const sinceMs = Math.max(createdMs(keep), Math.floor(frozenMs / 1000) * 1000);
  return active
    .filter((pod) => pod.metadata.uid !== keep.metadata.uid && createdMs(pod) >= sinceMs)
    .sort((a, b) => createdMs(b) - createdMs(a))
    .slice(0, excess);
}

function isActive(pod: Pod): boolean {
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  return pod.metadata.deletionTimestamp === undefined && !ended;
}

function createdMs(pod: Pod): number {
  return Date.parse(String(pod.metadata.creationTimestamp));
}
