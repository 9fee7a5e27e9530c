/** How far a target pod's start is, told by its status. Pure. */
import type { V1PodStatus } from "@kubernetes/client-node";
import type { Pod } from "../../kube/resources.ts";
import type { Wire } from "../../kube/wire.ts";

export type Readiness =
  | { kind: "ready" }
  | { kind: "starting"; message: string }
  | { kind: "hopeless"; reason: string; message: string };

/** The scheduler may find room a moment later, when another pod has ended. */
const UNSCHEDULABLE_MS = 15_000;
/** After the sandbox is up the kubelet calls `create` within this time if the image is there. */
const CREATE_CALL_MS = 2_000;
/** The kubelet goes on trying, but what it lacks will not come by itself. */
const HOPELESS = new Set([
  "ErrImageNeverPull",
  "InvalidImageName",
  "ImagePullBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "CrashLoopBackOff",
]);

/** For agents that don't say that `create` is held: the sandbox has been up for a while, and nothing went wrong. */
export function targetReadiness(pod: Pod, nowMs: number): Readiness {
  if (pod.metadata.deletionTimestamp !== undefined) return hopeless("TargetPodGone", "the target pod is being deleted");
  const { status } = pod;
  if (status?.phase === "Failed" || status?.phase === "Succeeded") {
    return hopeless("TargetPodFailed", `the target pod ended: ${status.message ?? status.reason ?? status.phase}`);
  }
  return containerTrouble(status) ?? schedulingTrouble(status, nowMs) ?? startProgress(pod, nowMs);
}

function containerTrouble(status: Wire<V1PodStatus> | undefined): Readiness | undefined {
  const container = status?.containerStatuses?.[0];
  const waiting = container?.state?.waiting;
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

function startProgress(pod: Pod, nowMs: number): Readiness {
  if (pod.spec.nodeName === undefined) return { kind: "starting", message: "the target pod is being scheduled" };
  const sandbox = pod.status?.conditions?.find((condition) => condition.type === "PodReadyToStartContainers");
  const upMs =
    sandbox?.status === "True" && sandbox.lastTransitionTime ? Date.parse(sandbox.lastTransitionTime) : undefined;
  if (upMs !== undefined && nowMs - upMs > CREATE_CALL_MS) return { kind: "ready" };
  return { kind: "starting", message: `the target pod is starting on node ${pod.spec.nodeName}` };
}

function hopeless(reason: string, message: string): Readiness {
  return { kind: "hopeless", reason, message };
}
