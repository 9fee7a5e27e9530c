/** The built-in resources that Headroom reads or writes, as {@link ResourceKind}s with client-node's types. */
import type {
  CoreV1Event,
  V1ConfigMap,
  V1ControllerRevision,
  V1CronJob,
  V1CustomResourceDefinition,
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1Lease,
  V1Namespace,
  V1Node,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1PodSpec,
  V1ReplicaSet,
  V1ReplicationController,
  V1RuntimeClass,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  V1StatefulSet,
  V1TokenReview,
} from "@kubernetes/client-node";
import type { KubeObject, ResourceKind } from "./client.ts";
import type { Wire } from "./wire.ts";

/** A built-in type with what the API server always sets made mandatory. */
type Built<T> = KubeObject & Omit<Wire<T>, keyof KubeObject>;

export type Pod = Built<Omit<V1Pod, "spec">> & { spec: Wire<V1PodSpec> };
export type Node = Built<V1Node>;
export type Namespace = Built<V1Namespace>;
export type Lease = Built<V1Lease>;
export type Event = Built<CoreV1Event>;
export type Secret = Built<V1Secret>;
export type ConfigMap = Built<V1ConfigMap>;
export type Service = Built<V1Service>;
export type ServiceAccount = Built<V1ServiceAccount>;
export type PersistentVolumeClaim = Built<V1PersistentVolumeClaim>;
export type RuntimeClass = Built<V1RuntimeClass>;
export type Job = Built<V1Job>;
export type CronJob = Built<V1CronJob>;
export type ReplicationController = Built<V1ReplicationController>;
export type ReplicaSet = Built<V1ReplicaSet>;
export type Deployment = Built<V1Deployment>;
export type DaemonSet = Built<V1DaemonSet>;
export type StatefulSet = Built<V1StatefulSet>;
export type ControllerRevision = Built<V1ControllerRevision>;
export type PodDisruptionBudget = Built<V1PodDisruptionBudget>;
export type CustomResourceDefinition = Built<V1CustomResourceDefinition>;
export type TokenReview = Built<V1TokenReview>;

function kindOf<T extends KubeObject>(groupVersion: string, plural: string, kind: string, namespaced = true) {
  const slash = groupVersion.indexOf("/");
  const described: ResourceKind<T> = {
    group: slash < 0 ? "" : groupVersion.slice(0, slash),
    version: groupVersion.slice(slash + 1),
    plural,
    kind,
    namespaced,
  };
  return described;
}

export const PODS = kindOf<Pod>("v1", "pods", "Pod");
export const NODES = kindOf<Node>("v1", "nodes", "Node", false);
export const NAMESPACES = kindOf<Namespace>("v1", "namespaces", "Namespace", false);
export const EVENTS = kindOf<Event>("v1", "events", "Event");
export const SECRETS = kindOf<Secret>("v1", "secrets", "Secret");
export const CONFIG_MAPS = kindOf<ConfigMap>("v1", "configmaps", "ConfigMap");
export const SERVICES = kindOf<Service>("v1", "services", "Service");
export const SERVICE_ACCOUNTS = kindOf<ServiceAccount>("v1", "serviceaccounts", "ServiceAccount");
export const PERSISTENT_VOLUME_CLAIMS = kindOf<PersistentVolumeClaim>(
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
);
export const REPLICATION_CONTROLLERS = kindOf<ReplicationController>(
  "v1",
  "replicationcontrollers",
  "ReplicationController",
);
export const LEASES = kindOf<Lease>("coordination.k8s.io/v1", "leases", "Lease");
export const RUNTIME_CLASSES = kindOf<RuntimeClass>("node.k8s.io/v1", "runtimeclasses", "RuntimeClass", false);
export const JOBS = kindOf<Job>("batch/v1", "jobs", "Job");
export const CRON_JOBS = kindOf<CronJob>("batch/v1", "cronjobs", "CronJob");
export const REPLICA_SETS = kindOf<ReplicaSet>("apps/v1", "replicasets", "ReplicaSet");
export const DEPLOYMENTS = kindOf<Deployment>("apps/v1", "deployments", "Deployment");
export const DAEMON_SETS = kindOf<DaemonSet>("apps/v1", "daemonsets", "DaemonSet");
export const STATEFUL_SETS = kindOf<StatefulSet>("apps/v1", "statefulsets", "StatefulSet");
export const CONTROLLER_REVISIONS = kindOf<ControllerRevision>("apps/v1", "controllerrevisions", "ControllerRevision");
export const POD_DISRUPTION_BUDGETS = kindOf<PodDisruptionBudget>(
  "policy/v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
);
export const CUSTOM_RESOURCE_DEFINITIONS = kindOf<CustomResourceDefinition>(
  "apiextensions.k8s.io/v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
  false,
);
/** Only ever created; its answer is in the status that comes back. */
export const TOKEN_REVIEWS = kindOf<TokenReview>("authentication.k8s.io/v1", "tokenreviews", "TokenReview", false);
