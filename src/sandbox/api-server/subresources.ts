/** Subresources that do something: eviction and binding of pods, scale of workloads, tokens of service accounts. */
import { deleteOptions } from "./deletion.ts";
import { disrupt } from "./disruption.ts";
import { ApiError, badRequest, conflict } from "./errors.ts";
import { type ApiObject, arrayAt, type JsonObject, numberAt, objectAt, stringAt, valueAt } from "./json.ts";
import type { Address, Registry } from "./registry.ts";
import { matchesLabelSelector } from "./selectors.ts";

export const success = (details: JsonObject = {}): JsonObject => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  ...(Object.keys(details).length > 0 ? { details } : {}),
});

/** Refused with 429 while a disruption budget forbids it. */
export function evict(registry: Registry, address: Address, eviction: JsonObject): JsonObject {
  const pod = registry.get(address);
  const forbidding = registry.store
    .list("poddisruptionbudgets.policy", address.namespace)
    .find((budget) => forbids(budget, pod));
  if (forbidding) {
    const message = "Cannot evict pod as it would violate the pod's disruption budget.";
    const causes = [
      { reason: "DisruptionBudget", message: `The disruption budget ${forbidding.metadata.name} does not allow it` },
    ];
    throw new ApiError(429, "TooManyRequests", message, { causes });
  }
  const options = deleteOptions(objectAt(eviction, "deleteOptions"), new URLSearchParams());
  disrupt(registry, address, "EvictionByEvictionAPI", options);
  return success();
}

const forbids = (budget: ApiObject, pod: ApiObject): boolean =>
  numberAt(budget, "status", "disruptionsAllowed") === 0 &&
  matchesLabelSelector(valueAt(budget, "spec", "selector"), pod.metadata.labels ?? {});

/** Binds a pod to a node, once, and only when nothing gates it. */
export function bind(registry: Registry, address: Address, binding: JsonObject): JsonObject {
  const { type, name } = address;
  const pod = registry.get(address);
  const node = stringAt(binding, "target", "name");
  if (!node) throw badRequest("a binding needs a target");
  const present = stringAt(pod, "spec", "nodeName");
  if (present) throw conflict(type, name, `pod ${name} is already assigned to node "${present}"`);
  if (pod.metadata.deletionTimestamp)
    throw conflict(type, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (arrayAt(pod, "spec", "schedulingGates").length > 0) {
    throw conflict(type, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
  const uid = stringAt(binding, "metadata", "uid");
  if (uid && uid !== pod.metadata.uid) throw conflict(type, name, `Precondition failed: UID in precondition: ${uid}`);
  const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: registry.time() };
  const others = arrayAt(pod, "status", "conditions").filter(
    (condition) => stringAt(condition, "type") !== "PodScheduled",
  );
  registry.store.put("pods", {
    ...pod,
    spec: { ...objectAt(pod, "spec"), nodeName: node },
    status: { ...objectAt(pod, "status"), conditions: [...others, scheduled] },
  });
  return success();
}

/** autoscaling/v1 Scale of a workload. */
export function scaleOf(workload: ApiObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = workload.metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(workload, "spec", "replicas") ?? 0 },
    status: { replicas: numberAt(workload, "status", "replicas") ?? 0 },
  };
}

export function scale(registry: Registry, address: Address, change: (present: JsonObject) => JsonObject): JsonObject {
  const wanted = change(scaleOf(registry.get(address)));
  const replicas = numberAt(wanted, "spec", "replicas") ?? 0;
  const scaled = registry.patch(address, (object) => ({ ...object, spec: { ...objectAt(object, "spec"), replicas } }));
  return scaleOf(scaled);
}
