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
  decision: Decision;
  /** All PodMigrations that are known. */
  existing: readonly PodMigration[];
}

/** The PodMigration, new or as it was found. Rejects when it could not be made. */
export async function createMove(client: KubeClient, order: MoveOrder): Promise<PodMigration> {
  const wanted = moveObject(order.move, order.migration, order.existing);
  const created = await createOrGet(client, wanted);
  // A merge patch of this one member: whatever the move's own controller writes meanwhile stays.
  const status = { cause: causeOf(order.move, order.decision) };
  return client.patch(POD_MIGRATIONS, refOf(created), { status }, { subresource: "status" });
}

async function createOrGet(client: KubeClient, wanted: PodMigration): Promise<PodMigration> {
  try {
    return await client.create(POD_MIGRATIONS, wanted);
  } catch (error) {
    if (!(error instanceof KubeError) || error.reason !== "AlreadyExists") throw error;
    const found = await client.get(POD_MIGRATIONS, refOf(wanted));
    if (found === undefined) throw error;
    return found;
  }
}
