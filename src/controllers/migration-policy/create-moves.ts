/** Turns planned moves into PodMigrations. Each is made once: its name is that of the pod's attempt. */
import type { MigrationPolicySpec } from "../../api/v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { type KubeClient, KubeError } from "../../kube/client.ts";
import { refOf } from "../../kube/controller.ts";
import type { Decision, PlannedMove } from "../../planning/decision.ts";
import { causeOf, moveObject } from "./move-object.ts";

export interface MoveOrder {
  move: PlannedMove;
  migration: MigrationPolicySpec["migration"];
  /** All PodMigrations that are known. */
  existing: readonly PodMigration[];
}

/** The PodMigration, new or as it was found. */
export async function createMove(client: KubeClient, { move, migration, existing }: MoveOrder): Promise<PodMigration> {
  const wanted = moveObject(move, migration, existing);
  try {
    return await client.create(POD_MIGRATIONS, wanted);
  } catch (error) {
    if (!(error instanceof KubeError) || error.reason !== "AlreadyExists") throw error;
    const found = await client.get(POD_MIGRATIONS, refOf(wanted));
    if (found === undefined) throw error;
    return found;
  }
}

/** A merge patch of this one member: whatever the move's own controller writes meanwhile stays. */
export async function recordCause(
  client: KubeClient,
  migration: PodMigration,
  move: PlannedMove,
  decision: Decision,
): Promise<void> {
  const status = { cause: causeOf(move, decision) };
  await client.patch(POD_MIGRATIONS, refOf(migration), { status }, { subresource: "status" });
}
