/** Resources that are known by their plural only, as @dot-i/k8s-operator's members name them. */
import type { ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";
import { type KubeClient, KubeError, type KubeObject, type ResourceKind } from "./client.ts";
import { ResourceMetaImpl } from "./operator-base.ts";

interface ResourceList {
  resources?: { name: string; kind: string; namespaced: boolean }[];
}

/** Asks the API server what the plural stands for. Rejects with `NotFound` when it doesn't serve it. */
export async function discoverKind(
  client: KubeClient,
  group: string,
  version: string,
  plural: string,
): Promise<ResourceKind<KubeObject>> {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  // metav1.APIResourceList
  const served = (await client.getRaw(root)) as ResourceList;
  const found = served.resources?.find((resource) => resource.name === plural);
  if (!found) throw new KubeError("NotFound", `the API server has no ${plural} in ${root}`);
  return { group, version, plural, kind: found.kind, namespaced: found.namespaced };
}

/** `id` is `<plural>.<group>/<version>`, or `<plural>.<version>`. */
export function kindFromId(meta: ResourceMeta): ResourceKind<KubeObject> {
  const plural = meta.id.slice(0, meta.id.indexOf("."));
  const slash = meta.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : meta.apiVersion.slice(0, slash);
  const namespaced = meta.namespace !== undefined && meta.namespace !== "";
  return { group, version: meta.apiVersion.slice(slash + 1), plural, kind: meta.kind, namespaced };
}

export function metaFor(id: string, object: KubeObject): ResourceMeta {
  return ResourceMetaImpl.createWithId(id, withDates(object));
}

/** client-node's own types hold times as Date; nothing here reads them. */
export function withDates(object: KubeObject): Parameters<typeof ResourceMetaImpl.createWithId>[1] {
  const { creationTimestamp, deletionTimestamp, managedFields: _, ...rest } = object.metadata;
  const date = (time: string | undefined) => (time === undefined ? {} : { at: new Date(time) });
  const created = date(creationTimestamp).at;
  const deleted = date(deletionTimestamp).at;
  const times = {
    ...(created ? { creationTimestamp: created } : {}),
    ...(deleted ? { deletionTimestamp: deleted } : {}),
  };
  return { ...object, metadata: { ...rest, ...times } };
}

/** As much of an event's object as its finalizers need. */
export function fromEvent(event: ResourceEvent): KubeObject {
  const { apiVersion, kind, name, namespace, resourceVersion } = event.meta;
  const { uid, finalizers, deletionTimestamp } = event.object.metadata ?? {};
  const metadata = {
    name,
    resourceVersion,
    ...(namespace ? { namespace } : {}),
    ...(uid ? { uid } : {}),
    ...(finalizers ? { finalizers } : {}),
    ...(deletionTimestamp ? { deletionTimestamp: new Date(deletionTimestamp).toISOString() } : {}),
  };
  return { apiVersion, kind, metadata };
}
