/** A finalizer on an object: it cannot vanish before its controller has cleared up. Writes are conditional. */
import type { KubeClient, KubeObject, ResourceKind } from "./client.ts";
import { refOf } from "./controller.ts";

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/** The object with the finalizer. Rejects with `Conflict` when the object has changed since it was read. */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  kind: ResourceKind<T>,
  object: T,
  finalizer: string,
): Promise<T> {
  if (hasFinalizer(object, finalizer) || object.metadata.deletionTimestamp) return object;
  return writeFinalizers(client, kind, object, [...(object.metadata.finalizers ?? []), finalizer]);
}

/** The object without the finalizer; if it was the last one on a deleted object, that is now gone. */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  kind: ResourceKind<T>,
  object: T,
  finalizer: string,
): Promise<T> {
  if (!hasFinalizer(object, finalizer)) return object;
  const rest = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
  return writeFinalizers(client, kind, object, rest);
}

/** Sets exactly these. */
export function writeFinalizers<T extends KubeObject>(
  client: KubeClient,
  kind: ResourceKind<T>,
  object: T,
  finalizers: string[],
): Promise<T> {
  const { resourceVersion, uid } = object.metadata;
  return client.patch(kind, refOf(object), { metadata: { finalizers, resourceVersion, uid } });
}
