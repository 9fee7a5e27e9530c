/** Deletion: preconditions, finalizers, the grace that pods get, and what becomes of dependents. */
import { conflict } from "./errors.ts";
import { type ApiObject, type JsonObject, numberAt, stringAt } from "./json.ts";
import { type Address, finished, type Registry } from "./registry.ts";
import { type ResourceType, storeName } from "./resource-types.ts";

export interface DeleteOptions {
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: "Background" | "Foreground" | "Orphan" | undefined;
  dryRun?: boolean;
}

/** From a DeleteOptions body and the query, which wins as in Kubernetes only where the body is silent. */
export function deleteOptions(body: JsonObject, query: URLSearchParams): DeleteOptions {
  const grace =
    numberAt(body, "gracePeriodSeconds") ??
    (query.get("gracePeriodSeconds") ? Number(query.get("gracePeriodSeconds")) : undefined);
  const policy = stringAt(body, "propagationPolicy") ?? query.get("propagationPolicy");
  return {
    uid: stringAt(body, "preconditions", "uid"),
    resourceVersion: stringAt(body, "preconditions", "resourceVersion"),
    gracePeriodSeconds: grace,
    propagationPolicy: policy === "Foreground" || policy === "Orphan" ? policy : "Background",
    dryRun: query.get("dryRun") === "All" || (Array.isArray(body.dryRun) && body.dryRun.includes("All")),
  };
}

export interface Deleted {
  object: ApiObject;
  /** False while finalizers or a grace period keep the object. */
  gone: boolean;
}

export function deleteObject(registry: Registry, address: Address, options: DeleteOptions): Deleted {
  const object = registry.get(address);
  checkPreconditions(address, object, options);
  const marked = mark(registry, address.type, object, options);
  const gone = finished(address.type, marked);
  if (options.dryRun) return { object: marked, gone };
  const store = storeName(address.type);
  if (gone) return { object: registry.store.remove(store, marked), gone };
  const unchanged = marked === object;
  return { object: unchanged ? object : registry.store.put(store, marked), gone };
}

function checkPreconditions({ type, name }: Address, object: ApiObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = object.metadata;
  if (options.uid && options.uid !== uid) {
    throw conflict(type, name, `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`);
  }
  if (options.resourceVersion && options.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(type, name, why);
  }
}

/** With deletionTimestamp, grace and the policy's finalizer; the same object when all of that is there already. */
function mark(registry: Registry, type: ResourceType, object: ApiObject, options: DeleteOptions): ApiObject {
  const grace = graceSeconds(type, object, options);
  const present = object.metadata.deletionGracePeriodSeconds;
  if (object.metadata.deletionTimestamp && (present === undefined || grace >= present)) return object;
  const finalizers = policyFinalizers(object, options);
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(finalizers.length > 0 ? { finalizers } : {}),
      deletionTimestamp: registry.time(grace),
      deletionGracePeriodSeconds: grace,
      ...(type.countsGenerations && object.metadata.generation ? { generation: object.metadata.generation + 1 } : {}),
    },
  };
}

function policyFinalizers(object: ApiObject, options: DeleteOptions): string[] {
  const present = (object.metadata.finalizers ?? []).filter((f) => f !== "orphan" && f !== "foregroundDeletion");
  if (options.propagationPolicy === "Foreground") return [...present, "foregroundDeletion"];
  return options.propagationPolicy === "Orphan" ? [...present, "orphan"] : present;
}

/** Pods that a kubelet runs get time to end; everything else none. */
function graceSeconds(type: ResourceType, object: ApiObject, options: DeleteOptions): number {
  if (storeName(type) !== "pods") return 0;
  const phase = stringAt(object, "status", "phase");
  if (!stringAt(object, "spec", "nodeName") || phase === "Succeeded" || phase === "Failed") return 0;
  return options.gracePeriodSeconds ?? numberAt(object, "spec", "terminationGracePeriodSeconds") ?? 30;
}
