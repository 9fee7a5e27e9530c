/**
 * Removes the pod that an owner made while the source was no longer its own and the target not yet. It is taken from its owner
 * first: a Job would count a program that ends well when it is told to end as the work done, and stop the moved pod.
 */
import { GROUP, LINEAGE_LABEL } from "../../../api/v1alpha1/group.ts";
import { JOBS, PODS, type Pod, REPLICA_SETS } from "../../../kube/resources.ts";
import { deletePod } from "../pods.ts";
import type { MoveRun } from "../run.ts";
import { JOB_TRACKING } from "./belongings.ts";
import type { MovePods } from "./observe.ts";
import { isAdopted } from "./plan.ts";

/** On a pod that was taken from its owner to be deleted: the move's UID. A successor of a controller that died in between finds it by this. */
const SURPLUS_LABEL = `${GROUP}/surplus-of-move`;

/** On the pods of an Indexed Job. */
const COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index";

/**
 * Pods that the owner made to replace the source before the copy could be handed over. Undefined when the owner has not yet acted on a change of
 * its size: then it is unknown. While the source counts as the owner's there are none, and the API is not asked.
 * A ReplicaSet that is given the copy beside such a pod may delete the copy.
 */
export async function findRivals(run: MoveRun, { source, target }: MovePods): Promise<Pod[] | undefined> {
  const { owner } = run.move.status;
  if (owner === undefined || target === undefined || isAdopted(target)) return [];
  const keepsPlace = source && isActive(source) && isOwnedBy(source, owner.uid);
  return keepsPlace ? [] : (await findSurplus(run, { source, target })).surplus;
}

/** Once the copy has its owner: what is left of rivals, and what the owner made in the instant before. */
export async function removeSurplus(run: MoveRun, { source, target }: MovePods): Promise<void> {
  if (run.move.status.owner === undefined || target === undefined) return;
  const { taken, surplus } = await findSurplus(run, { source, target });
  for (const pod of taken) await deletePod(run.deps.client, pod, graceOf(pod));
  for (const pod of surplus ?? []) await removeReplacement(run, pod);
}

/** The owner is read before its pods: what it deletes to reach its present size is being deleted in the list. */
async function findSurplus(
  run: MoveRun,
  { source, target }: { source: Pod | undefined; target: Pod },
): Promise<{ taken: Pod[]; surplus: Pod[] | undefined }> {
  const { owner } = run.move.status;
  const desired = await desiredPods(run);
  const { items } = await run.deps.client.list(PODS, { namespace: run.move.metadata.namespace });
  const taken = items.filter((item) => isTaken(run, item));
  if (owner === undefined || desired === "gone") return { taken, surplus: [] };
  if (desired === "behind") return { taken, surplus: undefined };
  const others = items.filter((pod) => isOwnedBy(pod, owner.uid) && pod.metadata.uid !== target.metadata.uid);
  return { taken, surplus: surplusAmong([target, ...others], desired, { keep: target, leaving: source }) };
}

function isOwnedBy(pod: Pod, ownerUID: string): boolean {
  return pod.metadata.ownerReferences?.some(({ uid }) => uid === ownerUID) ?? false;
}

/** Taken from its owner, then deleted. */
export async function removeReplacement(run: MoveRun, pod: Pod): Promise<void> {
  const { owner, targetPodName } = run.move.status;
  if (owner === undefined) return;
  const words = `pod ${pod.metadata.name} was made by its ${owner.kind} while ${targetPodName} was being handed over, and is removed`;
  run.deps.events.record(run.move, "Warning", "ReplacementRemoved", words);
  run.deps.events.record(pod, "Warning", "ReplacementRemoved", words);
  // Said first: should the controller die now, its successor finds the pod, but could not find out that there had been one.
  await takeFromOwner(run, pod, owner.uid);
  await deletePod(run.deps.client, pod, graceOf(pod));
}

/** Its owner has made another pod already, and it has nothing more than that one. */
export async function removeDeadCopy(run: MoveRun, target: Pod): Promise<void> {
  const words = `the copy ${target.metadata.name} has ended since its release and is removed: its owner has made a pod in its place`;
  run.deps.events.record(run.move, "Warning", "CopyRemoved", words);
  run.deps.events.record(target, "Warning", "CopyRemoved", words);
  await deletePod(run.deps.client, target);
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

/** How many pods the owner wants to run; or that it is gone, or has yet to act on its new size: then it removes pods itself. */
async function desiredPods(run: MoveRun): Promise<number | "gone" | "behind"> {
  const { owner } = run.move.status;
  const ref = { namespace: run.move.metadata.namespace, name: owner?.name ?? "" };
  if (owner?.kind === "Job") {
    const job = await run.deps.client.get(JOBS, ref);
    const { parallelism = 1, completions } = job?.spec ?? {};
    const left = completions === undefined ? parallelism : completions - (job?.status?.succeeded ?? 0);
    return job === undefined ? "gone" : Math.min(parallelism, left);
  }
  const replicaSet = await run.deps.client.get(REPLICA_SETS, ref);
  if (replicaSet === undefined) return "gone";
  if (replicaSet.status?.observedGeneration !== replicaSet.metadata.generation) return "behind";
  return replicaSet.spec?.replicas ?? 1;
}

/**
 * The youngest pods beyond what is wanted that were made since the copy was: until it was frozen the source was its owner's, and a move whose source
 * is evicted before that is rolled back. Of an Indexed Job one pod per index is wanted. Never the target, nor what another move has brought. By
 * the API server's clock alone. Pure.
 */
export function surplusAmong(
  owned: Pod[],
  desired: number,
  { keep, leaving }: { keep: Pod; leaving: Pod | undefined },
): Pod[] {
  const active = owned.filter((pod) => isActive(pod) && pod.metadata.uid !== leaving?.metadata.uid);
  const index = completionIndex(keep);
  const alike = index === undefined ? active : active.filter((pod) => completionIndex(pod) === index);
  const excess = Math.max(0, alike.length - (index === undefined ? desired : 1));
  const isMoved = (pod: Pod): boolean =>
    pod.metadata.uid === keep.metadata.uid || LINEAGE_LABEL in (pod.metadata.labels ?? {});
  return alike
    .filter((pod) => !isMoved(pod) && createdMs(pod) >= createdMs(keep))
    .sort((a, b) => createdMs(b) - createdMs(a))
    .slice(0, excess);
}

function completionIndex({ metadata: { annotations, labels } }: Pod): string | undefined {
  return annotations?.[COMPLETION_INDEX] ?? labels?.[COMPLETION_INDEX];
}

function isActive(pod: Pod): boolean {
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  return pod.metadata.deletionTimestamp === undefined && !ended;
}

function createdMs(pod: Pod): number {
  return Date.parse(String(pod.metadata.creationTimestamp));
}
