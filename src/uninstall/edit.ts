/** A change to an object that others write to as well. */
import { type KubeClient, KubeError, type KubeObject, type ResourceKind } from "../kube/client.ts";

const ATTEMPTS = 10;

/**
 * Patches `object` with what `change` says of its newest version, under that version's number, again when somebody was
 * faster. `change` answers undefined when there is nothing to do. Resolves to whether something was changed.
 */
export async function edit<T extends KubeObject>(
  client: KubeClient,
  kind: ResourceKind<T>,
  object: T,
  change: (current: T) => { metadata?: object; spec?: object } | undefined,
): Promise<boolean> {
  let current: T | undefined = object;
  for (let attempt = 1; current !== undefined; attempt++) {
    const patch = change(current);
    if (patch === undefined) return false;
    const { resourceVersion } = current.metadata;
    try {
      await client.patch(kind, current.metadata, { ...patch, metadata: { ...patch.metadata, resourceVersion } });
      return true;
    } catch (error) {
      if (!(error instanceof KubeError) || error.reason !== "Conflict" || attempt === ATTEMPTS) throw error;
      current = await client.get(kind, object.metadata);
    }
  }
  return false;
}
