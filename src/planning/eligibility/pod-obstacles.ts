/**
 * Why a pod can't be moved, as far as its own object tells. Planning leaves such pods alone, and a PodMigration's preflight
 * refuses them with the very same reasons. Pure; what only the node knows (open devices, TCP connections) is asked later.
 */
import type { V1Container, V1Volume } from "@kubernetes/client-node";
import { MOVE_ANNOTATION, MOVE_LABEL, RUNTIME_CLASS } from "../../api/v1alpha1/group.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Wire } from "../../kube/wire.ts";

export interface Obstacle {
  /** CamelCase, stable: it shows in conditions, events and decisions. */
  reason: string;
  message: string;
}

export interface ObstacleContext {
  /** Headroom's own namespace. */
  ownNamespace: string;
}

type Check = (pod: Pod, context: ObstacleContext) => Obstacle | undefined;
type Container = Wire<V1Container>;
type Volume = Wire<V1Volume>;

/** The first thing that speaks against moving this pod; undefined when nothing does. */
export function podObstacle(pod: Pod, context: ObstacleContext): Obstacle | undefined {
  for (const check of CHECKS) {
    const obstacle = check(pod, context);
    if (obstacle) return obstacle;
  }
  return undefined;
}

/** Everything that speaks against it, for people. */
export function podObstacles(pod: Pod, context: ObstacleContext): Obstacle[] {
  return CHECKS.map((check) => check(pod, context)).filter((obstacle) => obstacle !== undefined);
}

const optedOut: Check = (pod) =>
  obstacleIf(
    pod.metadata.annotations?.[MOVE_ANNOTATION] === "false",
    "OptedOut",
    `its annotation ${MOVE_ANNOTATION} is "false"`,
  );

const protectedNamespace: Check = (pod, { ownNamespace }) =>
  obstacleIf(
    ["kube-system", ownNamespace].includes(pod.metadata.namespace ?? ""),
    "ProtectedNamespace",
    `pods in ${pod.metadata.namespace} are never moved`,
  );

const mirrorPod: Check = (pod) =>
  obstacleIf(
    pod.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined ||
      (pod.metadata.ownerReferences ?? []).some((owner) => owner.kind === "Node"),
    "MirrorPod",
    "it is a static pod of its node",
  );

/** Kinds whose controllers accept a pod of another name in place of the one that was moved. */
const MOVABLE_OWNERS = new Set(["apps ReplicaSet", "batch Job"]);

const owner: Check = (pod) => {
  const owners = pod.metadata.ownerReferences ?? [];
  const controller = owners.find((reference) => reference.controller === true);
  if (controller?.kind === "StatefulSet")
    return { reason: "StatefulSet", message: "a StatefulSet's pod can't be moved: the copy would need its name" };
  if (controller?.kind === "DaemonSet")
    return { reason: "DaemonSet", message: "a DaemonSet's pod belongs to its node" };
  const unknown = owners.find((reference) => !MOVABLE_OWNERS.has(`${groupOf(reference.apiVersion)} ${reference.kind}`));
  return obstacleIf(
    unknown !== undefined,
    "UnsupportedOwner",
    `it belongs to ${unknown?.kind} ${unknown?.name}: only bare pods and those of a ReplicaSet or a Job can be handed over`,
  );
};

const severalContainers: Check = (pod) =>
  obstacleIf(pod.spec.containers.length !== 1, "SeveralContainers", `it has ${pod.spec.containers.length} containers`);

const sidecar: Check = (pod) => {
  const found = (pod.spec.initContainers ?? []).find((container) => container.restartPolicy === "Always");
  return obstacleIf(found !== undefined, "Sidecar", `its init container ${found?.name} goes on running as a sidecar`);
};

const ephemeralContainers: Check = (pod) =>
  obstacleIf(
    (pod.spec.ephemeralContainers ?? []).length > 0,
    "EphemeralContainers",
    "it has ephemeral (debug) containers",
  );

const hostNamespaces: Check = (pod) => {
  const used = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((name) => pod.spec[name] === true);
  return obstacleIf(used.length > 0, "HostNamespaces", `it uses ${used.join(", ")}`);
};

const sharedProcessNamespace: Check = (pod) =>
  obstacleIf(pod.spec.shareProcessNamespace === true, "SharedProcessNamespace", "it sets shareProcessNamespace");

const userNamespace: Check = (pod) =>
  obstacleIf(pod.spec.hostUsers === false, "UserNamespace", "it runs in a user namespace (hostUsers: false)");

const foreignRuntime: Check = (pod) => {
  const runtime = pod.spec.runtimeClassName;
  return obstacleIf(
    runtime !== undefined && runtime !== RUNTIME_CLASS,
    "RuntimeClass",
    `it runs under the RuntimeClass ${runtime}`,
  );
};

const hooks: Check = (pod) => {
  const found = pod.spec.containers.find(({ lifecycle }) => lifecycle?.preStop || lifecycle?.postStart);
  return obstacleIf(
    found !== undefined,
    "LifecycleHooks",
    `container ${found?.name} has a preStop or postStart hook: it would run although the process goes on`,
  );
};

const terminal: Check = (pod) => {
  const found = pod.spec.containers.find(({ tty, stdin }) => tty === true || stdin === true);
  return obstacleIf(found !== undefined, "Terminal", `container ${found?.name} has a TTY or stdin`);
};

const devices: Check = (pod) => {
  const names = pod.spec.containers.flatMap((container) => extendedResources(container));
  const blockDevices = pod.spec.containers.some((container) => (container.volumeDevices ?? []).length > 0);
  const claims = (pod.spec.resourceClaims ?? []).length > 0;
  return obstacleIf(
    names.length > 0 || blockDevices || claims,
    "Devices",
    names.length > 0 ? `it uses ${names.join(", ")}` : "it uses devices (volumeDevices or resourceClaims)",
  );
};

const hugePages: Check = (pod) =>
  obstacleIf(
    pod.spec.containers.some((container) => resourceNames(container).some((name) => name.startsWith("hugepages-"))) ||
      (pod.spec.volumes ?? []).some((volume) => volume.emptyDir?.medium?.startsWith("HugePages") === true),
    "HugePages",
    "it uses huge pages",
  );

const MOVABLE_VOLUMES = ["emptyDir", "configMap", "secret", "projected", "downwardAPI"] as const;

const volumes: Check = (pod) => {
  const found = (pod.spec.volumes ?? []).find((volume) => MOVABLE_VOLUMES.every((kind) => volume[kind] === undefined));
  if (found === undefined) return undefined;
  const kind = volumeKind(found);
  const reason = { persistentVolumeClaim: "PersistentVolume", ephemeral: "PersistentVolume", hostPath: "HostPath" }[
    kind
  ];
  return { reason: reason ?? "UnsupportedVolume", message: `its volume ${found.name} is of kind ${kind}` };
};

/** On the node such a mount is a folder inside the volume, of which only that part would be seen. */
const subPath: Check = (pod) => {
  const emptyDirs = new Set((pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir).map(({ name }) => name));
  const mounts = pod.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  const found = mounts.find((mount) => emptyDirs.has(mount.name) && (mount.subPath || mount.subPathExpr));
  return obstacleIf(found !== undefined, "SubPath", `it mounts a part (subPath) of its emptyDir ${found?.name}`);
};

const terminating: Check = (pod) =>
  obstacleIf(pod.metadata.deletionTimestamp !== undefined, "PodTerminating", "it is being deleted");

const targetOfMove: Check = (pod) =>
  obstacleIf(
    pod.metadata.labels?.[MOVE_LABEL] !== undefined,
    "MoveTarget",
    "it is the target of a move that has not ended",
  );

const running: Check = (pod) =>
  obstacleIf(pod.status?.phase !== "Running", "PodNotRunning", `its phase is ${pod.status?.phase ?? "not known"}`);

const containerStarted: Check = (pod) => {
  const status = pod.status?.containerStatuses?.[0];
  return obstacleIf(
    status?.state?.running === undefined || status.started === false,
    "ContainerNotRunning",
    `container ${status?.name ?? pod.spec.containers[0]?.name} is not running, or has not passed its startup probe`,
  );
};

/** In this order: what says most to the pod's owner comes first. */
const CHECKS: readonly Check[] = [
  protectedNamespace,
  mirrorPod,
  optedOut,
  owner,
  severalContainers,
  sidecar,
  ephemeralContainers,
  hostNamespaces,
  sharedProcessNamespace,
  userNamespace,
  foreignRuntime,
  hooks,
  terminal,
  devices,
  hugePages,
  volumes,
  subPath,
  targetOfMove,
  terminating,
  running,
  containerStarted,
];

function obstacleIf(found: boolean, reason: string, message: string): Obstacle | undefined {
  return found ? { reason, message } : undefined;
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

function resourceNames(container: Container): string[] {
  return Object.keys({ ...container.resources?.requests, ...container.resources?.limits });
}

/** Names with a domain are extended resources (devices); those of Kubernetes itself have none. */
function extendedResources(container: Container): string[] {
  return resourceNames(container).filter((name) => name.includes("/"));
}

function volumeKind(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name") ?? "unknown";
}
