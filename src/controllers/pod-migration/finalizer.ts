/** The finalizer that turns a PodMigration's deletion into a cancellation, and after the commit into patience. */
import { FINALIZER, LINEAGE_LABEL } from "../../api/v1alpha1/group.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError } from "../../kube/client.ts";
import { hasFinalizer, removeFinalizer } from "../../kube/finalizers.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { isMove, type Move } from "./run.ts";

export function isProtected(migration: PodMigration): boolean {
  return hasFinalizer(migration, FINALIZER);
}

/** One write: the finalizer, and the label by which a pod's moves are found. Before any side effect. */
export async function protect(deps: MoveDependencies, move: Move, lineage: string): Promise<void> {
  const { namespace, name, resourceVersion } = move.metadata;
  const finalizers = [...(move.metadata.finalizers ?? []), FINALIZER];
  const metadata = { resourceVersion, finalizers, labels: { [LINEAGE_LABEL]: lineage } };
  await deps.client.patch(POD_MIGRATIONS, { namespace, name }, { metadata });
}

/** An ended move needs no more protection. The move without it; undefined: it is gone. */
export async function unprotect(deps: MoveDependencies, move: Move): Promise<Move | undefined> {
  try {
    const left = await removeFinalizer(deps.client, POD_MIGRATIONS, move, FINALIZER);
    return isMove(left) && left.metadata.deletionTimestamp === undefined ? left : undefined;
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === "NotFound")) throw error;
    return undefined;
  }
}
