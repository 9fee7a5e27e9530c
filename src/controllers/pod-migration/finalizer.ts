/** The finalizer that turns a PodMigration's deletion into a cancellation, and after the commit into patience. */
import { FINALIZER, LINEAGE_LABEL } from "../../api/v1alpha1/group.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError } from "../../kube/client.ts";
import type { MoveDependencies } from "./dependencies.ts";
import type { Move } from "./run.ts";

export function hasFinalizer(migration: PodMigration): boolean {
  return migration.metadata.finalizers?.includes(FINALIZER) ?? false;
}

/** Puts the finalizer on, and the label by which a pod's moves are found; before any side effect. */
export async function withFinalizer(deps: MoveDependencies, move: Move, lineage: string): Promise<PodMigration> {
  if (hasFinalizer(move)) return move;
  return patchMetadata(deps, move, {
    finalizers: [...(move.metadata.finalizers ?? []), FINALIZER],
    labels: { [LINEAGE_LABEL]: lineage },
  });
}

export async function withoutFinalizer(deps: MoveDependencies, move: Move): Promise<void> {
  if (!hasFinalizer(move)) return;
  const finalizers = move.metadata.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
  try {
    await patchMetadata(deps, move, { finalizers });
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "NotFound")) throw error;
  }
}

function patchMetadata(deps: MoveDependencies, move: Move, metadata: object): Promise<PodMigration> {
  const { namespace, name, resourceVersion } = move.metadata;
  return deps.client.patch(POD_MIGRATIONS, { namespace, name }, { metadata: { ...metadata, resourceVersion } });
}
