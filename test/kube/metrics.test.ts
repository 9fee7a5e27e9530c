import { expect, it } from "vitest";
import { API_VERSION } from "../../src/api/v1alpha1/group.ts";
import {
  type PodMigration,
  podMigrationSpecSchema,
  podMigrationStatusSchema,
} from "../../src/api/v1alpha1/pod-migration.ts";
import { OperatorMetrics } from "../../src/kube/metrics.ts";

function move(status: object): PodMigration {
  return {
    apiVersion: API_VERSION,
    kind: "PodMigration",
    metadata: { name: "m", namespace: "default" },
    spec: podMigrationSpecSchema.parse({ podName: "p" }),
    status: podMigrationStatusSchema.parse(status),
  };
}

it("moves on record are counted by phase, with the time that their pods were frozen", async () => {
  const metrics = new OperatorMetrics();
  metrics.watchMoves(() => [
    move({ phase: "Succeeded", freezeMilliseconds: 400 }),
    move({ phase: "Succeeded", freezeMilliseconds: 350 }),
    move({ phase: "RolledBack", freezeMilliseconds: 2_000 }),
    move({ phase: "RolledBack" }),
  ]);
  const text = await metrics.registry.metrics();
  expect(text).toContain('headroom_pod_migrations{phase="RolledBack"} 2\n');
  expect(text).toContain('headroom_pod_migrations_frozen_seconds{phase="Succeeded"} 0.75\n');
  expect(text).toContain('headroom_pod_migrations_frozen_seconds{phase="RolledBack"} 2\n');
});
