/** What preflight reads off the source pod. Pure. */

import type { EmptyDir } from "../../../agent/protocol.ts";
import type { SourceContainer } from "../../../checkpointing/driver.ts";
import type { Pod } from "../../../kube/resources.ts";

/** The one running container; undefined when the pod's status doesn't name it. */
export function runningContainer(pod: Pod): SourceContainer | undefined {
  const status = pod.status?.containerStatuses?.[0];
  if (status?.containerID === undefined || pod.metadata.uid === undefined) return undefined;
  return { podUID: pod.metadata.uid, containerID: bareId(status.containerID), containerName: status.name };
}

/** Is this very container still the pod's, and running as far as its kubelet knows? */
export function isPinned(pod: Pod, containerID: string): boolean {
  const [status] = pod.status?.containerStatuses ?? [];
  const ended = pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
  if (ended || status?.state?.terminated !== undefined || status?.state?.waiting !== undefined) return false;
  return status?.containerID === undefined || bareId(status.containerID) === containerID;
}

/**
 * Has its kubelet confirmed that nothing of this deleted pod runs any more? Something else's finalizer may keep the pod in the API long
 * after that.
 */
export function isEnded(pod: Pod): boolean {
  const statuses = pod.status?.containerStatuses ?? [];
  const ended = statuses.length > 0 && statuses.every(({ state }) => state?.terminated !== undefined);
  return pod.metadata.deletionTimestamp !== undefined && ended;
}

/** `containerd://abc` → `abc`. */
export function bareId(containerID: string): string {
  return containerID.replace(/^[a-z-]+:\/\//, "");
}

/** Those that the container mounts: one that only a completed init container used holds nothing that is missed. */
export function emptyDirsOf(pod: Pod): EmptyDir[] {
  const mounted = new Set(pod.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
  const volumes = (pod.spec.volumes ?? []).filter(({ emptyDir, name }) => emptyDir !== undefined && mounted.has(name));
  return volumes.map(({ name, emptyDir }) => ({ name, memory: emptyDir?.medium === "Memory" }));
}
