import { describe, expect, it } from "vitest";
import type { Pod } from "../../../src/kube/resources.ts";
import { podObstacle, podObstacles } from "../../../src/planning/eligibility/pod-obstacles.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";

const CONTEXT = { ownNamespace: "headroom-system" };

function podWith(edit: (pod: Pod) => void): Pod {
  const pod = sourcePod();
  edit(pod);
  return pod;
}

function owner(kind: string, apiVersion = "apps/v1") {
  return { metadata: { ownerReferences: [{ apiVersion, kind, name: "owner", uid: "1", controller: true }] } };
}

function merge(pod: Pod, part: { metadata?: object; spec?: object; status?: object }): void {
  Object.assign(pod.metadata, part.metadata);
  Object.assign(pod.spec, part.spec);
  Object.assign(pod.status ?? {}, part.status);
}

function container(part: object): { spec: object } {
  return { spec: { containers: [{ name: "counter", ...part }] } };
}

const volume = (source: object) => ({ spec: { volumes: [{ name: "v", ...source }] } });

const REFUSED: [what: string, reason: string, part: { metadata?: object; spec?: object; status?: object }][] = [
  ["in kube-system", "ProtectedNamespace", { metadata: { namespace: "kube-system" } }],
  ["in Headroom's own namespace", "ProtectedNamespace", { metadata: { namespace: "headroom-system" } }],
  ["a mirror pod", "MirrorPod", { metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } }],
  ["a node's static pod", "MirrorPod", owner("Node", "v1")],
  ["that opted out", "OptedOut", { metadata: { annotations: { "headroom.dev/move": "false" } } }],
  ["of a StatefulSet", "StatefulSet", owner("StatefulSet")],
  ["of a DaemonSet", "DaemonSet", owner("DaemonSet")],
  ["of a custom owner", "UnsupportedOwner", owner("Worker", "example.test/v1")],
  ["of a ReplicaSet of another group", "UnsupportedOwner", owner("ReplicaSet", "example.test/v1")],
  ["with several containers", "SeveralContainers", { spec: { containers: [{ name: "a" }, { name: "b" }] } }],
  ["with a sidecar", "Sidecar", { spec: { initContainers: [{ name: "s", restartPolicy: "Always" }] } }],
  ["with an ephemeral container", "EphemeralContainers", { spec: { ephemeralContainers: [{ name: "debug" }] } }],
  ["in the host's network", "HostNamespaces", { spec: { hostNetwork: true } }],
  ["among the host's processes", "HostNamespaces", { spec: { hostPID: true } }],
  ["with the host's IPC", "HostNamespaces", { spec: { hostIPC: true } }],
  ["with shareProcessNamespace", "SharedProcessNamespace", { spec: { shareProcessNamespace: true } }],
  ["in a user namespace", "UserNamespace", { spec: { hostUsers: false } }],
  ["of another runtime", "RuntimeClass", { spec: { runtimeClassName: "gvisor" } }],
  ["with a preStop hook", "LifecycleHooks", container({ lifecycle: { preStop: { sleep: { seconds: 1 } } } })],
  ["with a postStart hook", "LifecycleHooks", container({ lifecycle: { postStart: { exec: {} } } })],
  ["with a TTY", "Terminal", container({ tty: true })],
  ["with stdin", "Terminal", container({ stdin: true })],
  ["with a device", "Devices", container({ resources: { limits: { "nvidia.com/gpu": "1" } } })],
  ["with a block device", "Devices", container({ volumeDevices: [{ name: "v", devicePath: "/dev/x" }] })],
  ["with a resource claim", "Devices", { spec: { resourceClaims: [{ name: "gpu" }] } }],
  ["with huge pages", "HugePages", container({ resources: { limits: { "hugepages-2Mi": "4Mi" } } })],
  ["with a huge pages volume", "HugePages", volume({ emptyDir: { medium: "HugePages-2Mi" } })],
  ["with a PVC", "PersistentVolume", volume({ persistentVolumeClaim: { claimName: "c" } })],
  ["with a generic ephemeral volume", "PersistentVolume", volume({ ephemeral: {} })],
  ["with a hostPath", "HostPath", volume({ hostPath: { path: "/" } })],
  ["with an NFS volume", "UnsupportedVolume", volume({ nfs: { server: "s", path: "/" } })],
  [
    "with a part of an emptyDir",
    "SubPath",
    {
      spec: {
        volumes: [{ name: "v", emptyDir: {} }],
        containers: [{ name: "counter", volumeMounts: [{ name: "v", mountPath: "/v", subPath: "a" }] }],
      },
    },
  ],
  ["that is a move's target", "MoveTarget", { metadata: { labels: { "headroom.dev/move-uid": "1" } } }],
  ["that is being deleted", "PodTerminating", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }],
  ["that is pending", "PodNotRunning", { status: { phase: "Pending" } }],
  ["that has ended", "PodNotRunning", { status: { phase: "Succeeded" } }],
  ["whose container waits", "ContainerNotRunning", { status: { containerStatuses: [{ name: "c", state: {} }] } }],
  [
    "whose startup probe has not passed",
    "ContainerNotRunning",
    { status: { containerStatuses: [{ name: "c", started: false, state: { running: {} } }] } },
  ],
];

describe("a pod", () => {
  it.each(REFUSED)("%s is not moved: %s", (_, reason, part) => {
    const pod = podWith((found) => merge(found, part));
    expect(podObstacle(pod, CONTEXT)?.reason).toBe(reason);
  });

  it.each([
    ["bare", {}],
    ["of a ReplicaSet", owner("ReplicaSet")],
    ["of a Job", owner("Job", "batch/v1")],
    ["with an emptyDir", volume({ emptyDir: {} })],
    ["with a projected token", volume({ projected: { sources: [] } })],
    ["with completed init containers", { spec: { initContainers: [{ name: "setup" }] } }],
    ["that was moved before", { spec: { runtimeClassName: "headroom" } }],
    ["with limits", container({ resources: { limits: { memory: "1Gi", cpu: "1", "ephemeral-storage": "1Gi" } } })],
    ["that opted in", { metadata: { annotations: { "headroom.dev/move": "true" } } }],
  ])("%s may be moved", (_, part) => {
    expect(
      podObstacles(
        podWith((pod) => merge(pod, part)),
        CONTEXT,
      ),
    ).toEqual([]);
  });

  it("hears of everything that speaks against it", () => {
    const pod = podWith((found) => merge(found, { spec: { hostNetwork: true, hostUsers: false } }));
    expect(podObstacles(pod, CONTEXT).map(({ reason }) => reason)).toEqual(["HostNamespaces", "UserNamespace"]);
  });
});
