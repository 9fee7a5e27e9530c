/** How far the start of a target pod is whose `create` is not held yet, told by its status. Pure. */
import type { V1PodStatus } from "@kubernetes/client-node";
import type { Pod } from "../../kube/resources.ts";
import type { Wire } from "../../kube/wire.ts";

export type Readiness = { kind: "starting"; message: string } | { kind: "hopeless"; reason: string; message: string };

/** The scheduler may find room a moment later, when another pod has ended. */
const UNSCHEDULABLE_MS = 15_000;
/** The image is not on the node, by the digest that the source runs, and cannot be had. */
const NO_IMAGE = new Set(["ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff"]);
/** The kubelet goes on trying, but what it lacks will not come by itself. */
const HOPELESS = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "CrashLoopBackOff",
]);

export function targetReadiness(pod: Pod, nowMs: number): Readiness {
  if (pod.metadata.deletionTimestamp !== undefined) return hopeless("TargetPodGone", "the target pod is being deleted");
  const { status } = pod;
  if (status?.phase === "Failed" || status?.phase === "Succeeded") {
    return hopeless("TargetPodFailed", `the target pod ended: ${status.message ?? status.reason ?? status.phase}`);
  }
  return imageTrouble(pod) ?? containerTrouble(status) ?? schedulingTrouble(status, nowMs) ?? startProgress(pod);
}

/** Also asked while the source is frozen: nothing can be restored without the image. */
export function imageTrouble(pod: Pod): Extract<Readiness, { kind: "hopeless" }> | undefined {
  const { reason = "", message = "" } = waitingOf(pod.status) ?? {};
  if (!NO_IMAGE.has(reason)) return undefined;
  const image = pod.spec.containers[0]?.image;
  return hopeless(
    "TargetImage",
    `node ${pod.spec.nodeName} has no image ${image}, with the content that the source runs: ${reason}: ${message}`,
  );
}

const waitingOf = (status: Wire<V1PodStatus> | undefined) => status?.containerStatuses?.[0]?.state?.waiting;

function containerTrouble(status: Wire<V1PodStatus> | undefined): Readiness | undefined {
  const container = status?.containerStatuses?.[0];
  const waiting = waitingOf(status);
  if (waiting?.reason !== undefined && HOPELESS.has(waiting.reason)) {
    return hopeless("TargetNotStarting", `the target's container: ${waiting.reason}: ${waiting.message ?? ""}`);
  }
  if (container?.state?.running !== undefined || container?.state?.terminated !== undefined) {
    return hopeless("TargetStartedAlone", "the target's container was started although its create should wait");
  }
  return undefined;
}

function schedulingTrouble(status: Wire<V1PodStatus> | undefined, nowMs: number): Readiness | undefined {
  const scheduled = status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.status !== "False" || scheduled.reason !== "Unschedulable") return undefined;
  const message = `the target pod can't be scheduled: ${scheduled.message ?? ""}`;
  const sinceMs = scheduled.lastTransitionTime === undefined ? nowMs : Date.parse(scheduled.lastTransitionTime);
  return nowMs - sinceMs > UNSCHEDULABLE_MS ? hopeless("TargetUnschedulable", message) : { kind: "starting", message };
}

function startProgress(pod: Pod): Readiness {
  if (pod.spec.nodeName === undefined) return { kind: "starting", message: "the target pod is being scheduled" };
  const { reason, message = "" } = waitingOf(pod.status) ?? {};
  const why = reason === undefined || reason === "ContainerCreating" ? "" : `: ${reason}: ${message}`;
  return { kind: "starting", message: `the target pod is starting on node ${pod.spec.nodeName}${why}` };
}

function hopeless(reason: string, message: string): Extract<Readiness, { kind: "hopeless" }> {
  return { kind: "hopeless", reason, message };
}
