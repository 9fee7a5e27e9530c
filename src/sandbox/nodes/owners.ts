/** What workload controllers have in common: which pods are theirs, adoption, and pods made from a template. */
import {
  type ApiObject,
  type JsonObject,
  type OwnerReference,
  objectAt,
  stringAt,
  valueAt,
} from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType } from "../api-server/resource-types.ts";
import { matchesLabelSelector } from "../api-server/selectors.ts";

export function controllerReference(owner: ApiObject): OwnerReference {
  const { name, uid } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

export const controllerOf = (object: ApiObject): OwnerReference | undefined =>
  (object.metadata.ownerReferences ?? []).find((reference) => reference.controller === true);

/** Neither ended nor being deleted. */
export const isActive = (pod: ApiObject): boolean =>
  !pod.metadata.deletionTimestamp && !["Succeeded", "Failed"].includes(stringAt(pod, "status", "phase") ?? "");

/** The owner's pods by its selector: orphans that match are adopted, own ones that no longer match let go. */
export function claimPods(registry: Registry, pods: ResourceType, owner: ApiObject): ApiObject[] {
  const selector = valueAt(owner, "spec", "selector");
  return registry.store.list("pods", owner.metadata.namespace).flatMap((pod) => {
    const matches = matchesLabelSelector(selector, pod.metadata.labels ?? {});
    const controller = controllerOf(pod);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) return [];
      if (matches || pod.metadata.deletionTimestamp) return [pod];
      setOwners(
        registry,
        pods,
        pod,
        (pod.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid),
      );
      return [];
    }
    if (!matches || pod.metadata.deletionTimestamp || owner.metadata.deletionTimestamp) return [];
    const owners = [...(pod.metadata.ownerReferences ?? []), controllerReference(owner)];
    return [setOwners(registry, pods, pod, owners)];
  });
}

function setOwners(
  registry: Registry,
  type: ResourceType,
  pod: ApiObject,
  ownerReferences: OwnerReference[],
): ApiObject {
  const { namespace, name } = pod.metadata;
  return registry.patch({ type, namespace, name }, (object) => ({
    ...object,
    metadata: { ...object.metadata, ownerReferences },
  }));
}

/** A pod of the owner's template. */
export function createPod(registry: Registry, pods: ResourceType, owner: ApiObject, finalizers: string[] = []): void {
  const template = objectAt(owner, "spec", "template");
  const metadata: JsonObject = {
    ...objectAt(template, "metadata"),
    generateName: `${owner.metadata.name}-`,
    ownerReferences: [controllerReference(owner)],
    ...(finalizers.length > 0 ? { finalizers } : {}),
  };
  registry.create(pods, owner.metadata.namespace, { metadata, spec: objectAt(template, "spec") });
}
