/** The ReplicaSet and Deployment controllers, as far as a move can tell them from the real ones. */
import { createHash } from "node:crypto";
import { deleteObject } from "../api-server/deletion.ts";
import { type ApiObject, arrayAt, numberAt, objectAt, stringAt } from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType, ResourceTypes } from "../api-server/resource-types.ts";
import { claimPods, controllerOf, controllerReference, createPod, isActive } from "./owners.ts";

const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

export const isReady = (pod: ApiObject): boolean =>
  arrayAt(pod, "status", "conditions").some((c) => stringAt(c, "type") === "Ready" && stringAt(c, "status") === "True");

/** Makes missing pods at once and deletes those that are too many, the cheapest first. */
export function syncReplicaSet(registry: Registry, types: ResourceTypes, replicaSet: ApiObject): void {
  const pods = types.find("", "v1", "pods");
  const type = types.find("apps", "v1", "replicasets");
  if (!pods || !type || replicaSet.metadata.deletionTimestamp) return;
  const active = claimPods(registry, pods, replicaSet).filter(isActive);
  const wanted = numberAt(replicaSet, "spec", "replicas") ?? 1;
  for (let missing = active.length; missing < wanted; missing++) createPod(registry, pods, replicaSet);
  for (const pod of surplus(active, wanted)) {
    const { namespace, name, uid } = pod.metadata;
    deleteObject(registry, { type: pods, namespace, name }, { uid });
  }
  report(registry, type, replicaSet, active, wanted);
}

/** In the order of the real controller: not ready before ready, then by deletion cost, then the younger. */
function surplus(active: ApiObject[], wanted: number): ApiObject[] {
  const cost = (pod: ApiObject): number => Number(pod.metadata.annotations?.[DELETION_COST] ?? 0);
  const bound = (pod: ApiObject): number => (stringAt(pod, "spec", "nodeName") ? 1 : 0);
  const rank = (a: ApiObject, b: ApiObject): number =>
    bound(a) - bound(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    cost(a) - cost(b) ||
    Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp);
  return [...active].sort(rank).slice(0, Math.max(0, active.length - wanted));
}

function report(registry: Registry, type: ResourceType, owner: ApiObject, active: ApiObject[], wanted: number): void {
  const { namespace, name, generation } = owner.metadata;
  const ready = active.filter(isReady).length;
  const current = Math.max(active.length, Math.min(wanted, active.length));
  const counts = { replicas: current, readyReplicas: ready, availableReplicas: ready, fullyLabeledReplicas: current };
  const status = { ...objectAt(owner, "status"), ...counts, observedGeneration: generation ?? 1 };
  registry.patch({ type, namespace, name }, (object) => ({ ...object, status }), { subresource: "status" });
}

/** One ReplicaSet per template; older ones are scaled to zero at once. */
export function syncDeployment(registry: Registry, types: ResourceTypes, deployment: ApiObject): void {
  const replicaSets = types.find("apps", "v1", "replicasets");
  const type = types.find("apps", "v1", "deployments");
  if (!replicaSets || !type || deployment.metadata.deletionTimestamp) return;
  const hash = templateHash(deployment);
  const name = `${deployment.metadata.name}-${hash}`;
  const { namespace } = deployment.metadata;
  const replicas = numberAt(deployment, "spec", "replicas") ?? 1;
  const present = registry.store.get("replicasets.apps", namespace, name);
  if (!present) registry.create(replicaSets, namespace, replicaSetOf(deployment, name, hash, replicas));
  for (const owned of registry.store.list("replicasets.apps", namespace)) {
    if (controllerOf(owned)?.uid !== deployment.metadata.uid) continue;
    scaleTo(registry, replicaSets, owned, owned.metadata.name === name ? replicas : 0);
  }
  const status = { ...objectAt(deployment, "status"), ...objectAt(present, "status"), updatedReplicas: replicas };
  registry.patch({ type, namespace, name: deployment.metadata.name }, (object) => ({ ...object, status }), {
    subresource: "status",
  });
}

function scaleTo(registry: Registry, type: ResourceType, replicaSet: ApiObject, replicas: number): void {
  if (numberAt(replicaSet, "spec", "replicas") === replicas) return;
  const { namespace, name } = replicaSet.metadata;
  registry.patch({ type, namespace, name }, (object) => ({
    ...object,
    spec: { ...objectAt(object, "spec"), replicas },
  }));
}

const templateHash = (deployment: ApiObject): string =>
  createHash("sha256")
    .update(JSON.stringify(objectAt(deployment, "spec", "template")))
    .digest("hex")
    .slice(0, 9);

function replicaSetOf(deployment: ApiObject, name: string, hash: string, replicas: number) {
  const template = objectAt(deployment, "spec", "template");
  const labels = { ...objectAt(template, "metadata", "labels"), "pod-template-hash": hash };
  const matchLabels = { ...objectAt(deployment, "spec", "selector", "matchLabels"), "pod-template-hash": hash };
  return {
    metadata: { name, labels, ownerReferences: [controllerReference(deployment)] },
    spec: {
      replicas,
      selector: { ...objectAt(deployment, "spec", "selector"), matchLabels },
      template: { ...template, metadata: { ...objectAt(template, "metadata"), labels } },
    },
  };
}
