/** The two pods of a move in the API: reads them by name and pinned UID, plans, creates, ungates and deletes the target. */
import { MOVE_LABEL, REGISTERING_GATE } from "../../api/v1alpha1/group.ts";
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { NAMESPACES, PODS, type Pod } from "../../kube/resources.ts";
import type { Refusal } from "./dependencies.ts";
import { type MoveRun, required } from "./run.ts";
import { targetChange } from "./target-changes.ts";
import { targetPod, targetPodName } from "./target-pod.ts";

/** The source pod; undefined when it is gone, a successor of its name included. */
export async function readSource(run: MoveRun): Promise<Pod | undefined> {
  const { namespace } = run.move.metadata;
  const pod = await run.deps.client.get(PODS, { namespace, name: run.move.spec.podName });
  return pod?.metadata.uid === run.move.status.sourcePodUID ? pod : undefined;
}

/** The target pod by its recorded UID; before that is recorded, the pod of the recorded name that carries the move's label. */
export async function readTarget(run: MoveRun): Promise<Pod | undefined> {
  const { targetPodName: name, targetPodUID } = run.move.status;
  if (name === undefined) return undefined;
  const pod = await run.deps.client.get(PODS, { namespace: run.move.metadata.namespace, name });
  const own =
    targetPodUID === undefined
      ? pod?.metadata.labels?.[MOVE_LABEL] === run.move.metadata.uid
      : pod?.metadata.uid === targetPodUID;
  return own ? pod : undefined;
}

/** The target pod as it is sent to the API server. */
export async function plannedTarget(run: MoveRun, source: Pod, node: string): Promise<Pod> {
  const { uid: moveUID, namespace } = run.move.metadata;
  const found = await run.deps.client.get(NAMESPACES, { name: namespace });
  return targetPod(source, {
    name: run.move.status.targetPodName ?? targetPodName(source, moveUID),
    moveUID,
    lineage: required(run.move, "lineage", run.move.status.lineage),
    node,
    nowMs: run.deps.clock.now(),
    namespaceUID: required(run.move, `namespace ${namespace}`, found?.metadata.uid),
  });
}

/** What admission changed on a target that no kubelet has seen yet; afterwards others may change it. */
export async function changeByAdmission(run: MoveRun, source: Pod, target: Pod): Promise<Refusal | undefined> {
  if (!isGated(target)) return undefined;
  const { targetNode } = run.move.status;
  return targetChange(await plannedTarget(run, source, required(run.move, "targetNode", targetNode)), target);
}

/** Creates the target pod, or finds it when an earlier try has created it. */
export async function ensureTargetPod(run: MoveRun, source: Pod): Promise<{ ok: true; uid: string } | { ok: false }> {
  const node = required(run.move, "targetNode", run.move.status.targetNode);
  const pod = await createOrFind(run, await plannedTarget(run, source, node));
  return pod?.metadata.uid === undefined ? { ok: false } : { ok: true, uid: pod.metadata.uid };
}

async function createOrFind(run: MoveRun, copy: Pod): Promise<Pod | undefined> {
  try {
    return await run.deps.client.create(PODS, copy);
  } catch (error) {
    if (error instanceof KubeError && error.reason === "AlreadyExists") return readTarget(run);
    throw error;
  }
}

/** Lets the scheduler have the target pod. Only after its agent has registered it. */
export async function removeGate(run: MoveRun, target: Pod): Promise<void> {
  if (!isGated(target)) return;
  const { namespace, name, resourceVersion } = target.metadata;
  const schedulingGates = target.spec.schedulingGates?.filter((gate) => gate.name !== REGISTERING_GATE);
  await run.deps.client.patch(PODS, { namespace, name }, { metadata: { resourceVersion }, spec: { schedulingGates } });
}

function isGated({ spec }: Pod): boolean {
  return spec.schedulingGates?.some((gate) => gate.name === REGISTERING_GATE) ?? false;
}

/** Deletes this very pod. The grace is short, unless given: its process is dead, held or frozen and can't use it. */
export async function deletePod(client: KubeClient, pod: Pod, gracePeriodSeconds = 1): Promise<void> {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(PODS, { namespace, name }, { ...(uid === undefined ? {} : { uid }), gracePeriodSeconds });
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "Conflict")) throw error;
  }
}
