/** Carries the hand-over out, step by step as ./plan.ts says. */
import { HANDED_OVER_GATE, LINEAGE_LABEL, MOVE_LABEL } from "../../../api/v1alpha1/group.ts";
import { JOBS, PODS, type Pod, REPLICA_SETS } from "../../../kube/resources.ts";
import { deletePod } from "../pods.ts";
import { isPinned } from "../preflight/pod-facts.ts";
import { livenessForgivesMs } from "../preflight/probes.ts";
import { releasedForMs } from "../release.ts";
import { type MoveRun, sourceOf } from "../run.ts";
import { enteredAtMs, timeText } from "../status.ts";
import { JOB_TRACKING } from "./belongings.ts";
import { type MovePods, readPods } from "./observe.ts";
import { DELETION_COST, type HandOverStep, isAdopted, LOWEST_COST, nextStep } from "./plan.ts";
import { findRivals, removeDeadCopy, removeReplacement, removeSurplus } from "./surplus.ts";

export interface Delay {
  afterMs: number;
  message: string;
}

const POLL_MS = 250;
/** Where each look lists the namespace's pods. */
const RIVALS_POLL_MS = 1000;
/** Before the source's liveness probe is taken to fail, this much is kept in hand. */
const LIVENESS_MARGIN_MS = 3_000;
/** A copy that is not ready by then is handed over as it is: its frozen source is no better. */
const READY_PATIENCE_MS = 900_000;
/** Readiness, costs, orphan or rivals, adopt, and a look that finds nothing left: hardly any hand-over has more steps, and one that has goes on a moment later. */
const STEP_LIMIT = 8;

/** Undefined when the target has everything. */
export async function handOver(run: MoveRun, found: MovePods): Promise<Delay | undefined> {
  const overdue = releasedForMs(run) > READY_PATIENCE_MS;
  const rivals = await findRivals(run, found);
  if (rivals === undefined && !overdue)
    return { afterMs: RIVALS_POLL_MS, message: "the copy runs; its owner has yet to act on its new size" };
  let pods: Pods = { ...found, rivals: rivals ?? [] };
  for (let step = 0; step < STEP_LIMIT; step++) {
    const next = nextStep({ ...pods, ...ownerOf(run), pressed: isPressed(run, pods.source), overdue });
    if (next.do === "wait")
      return { afterMs: pods.rivals.length > 0 ? RIVALS_POLL_MS : POLL_MS, message: next.message };
    if (next.do === "nothing") {
      await removeSurplus(run, pods);
      return undefined;
    }
    pods = await take(run, pods, next);
  }
  return { afterMs: POLL_MS, message: "the copy runs; it is being handed over" };
}

/**
 * Before the release, when the source runs or may run again: it was started cold, or its node is silent, and a kubelet that comes back before its agent
 * does would start it cold beside the copy. One that is being deleted it does not start. The owner has the copy in its place by then, and makes no other.
 */
export async function replaceSource(run: MoveRun): Promise<void> {
  const { source, target } = await readPods(run);
  if (source === undefined || target === undefined || source.metadata.deletionTimestamp !== undefined) return;
  if (run.move.status.owner !== undefined) {
    await patch(run, source, orphaned(run, source));
    if (!isAdopted(target)) await patch(run, target, await adopted(run, target));
  }
  await deletePod(run.deps.client, source);
}

interface Pods extends MovePods {
  rivals: readonly Pod[];
}

function ownerOf(run: MoveRun) {
  const { owner } = run.move.status;
  return { ownerKind: owner?.kind, ownerUID: owner?.uid };
}

/** Also when the frozen container has died already: its kubelet is about to start it cold beside the copy. */
function isPressed(run: MoveRun, source: Pod | undefined): boolean {
  if (source && !isPinned(source, sourceOf(run.move).container.containerID)) return true;
  const frozenMs = enteredAtMs(run.move.status, "Frozen");
  const forgivenMs = source === undefined ? undefined : livenessForgivesMs(source);
  if (frozenMs === undefined || forgivenMs === undefined) return false;
  return run.deps.clock.now() - frozenMs > forgivenMs - LIVENESS_MARGIN_MS;
}

type Act = Exclude<HandOverStep, { do: "wait" | "nothing" }>;

async function take(run: MoveRun, pods: Pods, step: Act): Promise<Pods> {
  switch (step.do) {
    case "open-readiness":
      return { ...pods, target: await openReadiness(run, step.target) };
    case "lower-cost":
      return withPod(pods, await patch(run, step.pod, { annotations: { [DELETION_COST]: LOWEST_COST } }));
    case "remove-rival":
      await removeReplacement(run, step.rival);
      return { ...pods, rivals: pods.rivals.filter((pod) => pod !== step.rival) };
    case "remove-target":
      await removeDeadCopy(run, step.target);
      return { ...pods, target: undefined };
    case "orphan-source":
      return { ...pods, source: await patch(run, step.source, orphaned(run, step.source)) };
    case "adopt-target":
      return { ...pods, target: await patch(run, step.target, await adopted(run, step.target)) };
  }
}

/** The same pod, as it is now, in the place of what was read before. */
function withPod(pods: Pods, changed: Pod): Pods {
  const now = (pod: Pod): Pod => (pod.metadata.uid === changed.metadata.uid ? changed : pod);
  return { ...pods, source: pods.source && now(pods.source), rivals: pods.rivals.map(now) };
}

/** A strategic merge: the kubelet writes the other conditions at the same time. */
function openReadiness(run: MoveRun, { metadata: { namespace, name, uid } }: Pod): Promise<Pod> {
  const condition = {
    type: HANDED_OVER_GATE,
    status: "True",
    reason: "Released",
    message: "the copy runs",
    lastTransitionTime: timeText(run.deps.clock.now()),
  };
  const body = { metadata: { uid }, status: { conditions: [condition] } };
  return run.deps.client.patch(PODS, { namespace, name }, body, { type: "strategic", subresource: "status" });
}

/** A pod whose owner is gone is deleted by the garbage collector: a copy must not get such a reference. */
async function ownerIsGone(run: MoveRun): Promise<boolean> {
  const { owner } = run.move.status;
  if (owner === undefined) return false;
  const ref = { namespace: run.move.metadata.namespace, name: owner.name };
  const { client } = run.deps;
  const found = owner.kind === "Job" ? await client.get(JOBS, ref) : await client.get(REPLICA_SETS, ref);
  return found?.metadata.uid !== owner.uid;
}

/** The UID makes it this very pod; no resourceVersion: its kubelet writes its status all the time. */
function patch(run: MoveRun, pod: Pod, metadata: object): Promise<Pod> {
  const { namespace, name, uid } = pod.metadata;
  return run.deps.client.patch(
    PODS,
    { ...(namespace === undefined ? {} : { namespace }), name },
    { metadata: { uid, ...metadata } },
  );
}

function orphaned(run: MoveRun, source: Pod) {
  const labels = Object.fromEntries(Object.keys(run.move.status.handOver?.labels ?? {}).map((key) => [key, null]));
  const owner = run.move.status.owner?.uid;
  return {
    labels,
    ownerReferences: (source.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner),
    finalizers: (source.metadata.finalizers ?? []).filter((finalizer) => finalizer !== JOB_TRACKING),
  };
}

async function adopted(run: MoveRun, target: Pod) {
  const { handOver, lineage } = run.move.status;
  const owners = handOver?.ownerReferences ?? [];
  const gone = owners.length > 0 && (await ownerIsGone(run));
  return {
    labels: { ...handOver?.labels, ...(lineage === undefined ? {} : { [LINEAGE_LABEL]: lineage }), [MOVE_LABEL]: null },
    ownerReferences: gone ? owners.filter(({ uid }) => uid !== run.move.status.owner?.uid) : owners,
    finalizers: [...new Set([...(target.metadata.finalizers ?? []), ...(handOver?.finalizers ?? [])])],
  };
}
