import { expect, it } from "vitest";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import type { PodMigration } from "../../../src/api/v1alpha1/pod-migration.ts";
import { freezeNow } from "../../../src/controllers/migration-policy/expect-freeze.ts";

function finished(index: number): PodMigration {
  const memoryBytes = (1 + index) * 1e9;
  const container = { name: "app", memoryBytes, filesBytes: 0, transferredBytes: memoryBytes };
  return {
    apiVersion: API_VERSION,
    kind: "PodMigration",
    metadata: { namespace: "default", name: `m${index}` },
    spec: { podName: "p", timeout: "10m", tcp: "Refuse", cancel: false },
    status: {
      phase: "Succeeded",
      sourceNode: "a",
      targetNode: "b",
      containers: [container],
      completionTime: `2026-01-01T00:00:${10 + index}Z`,
      freezeMilliseconds: 400 + 2_000 * (1 + index),
      phaseTransitions: [],
      timings: {},
      conditions: [],
    },
  };
}

it("a freeze is expected as the PodMigrations on record took", () => {
  const moves = Array.from({ length: 12 }, (_, index) => finished(index));
  const expectFreeze = freezeNow({ podMigrations: { list: () => moves } });
  const expected = expectFreeze({ from: "a", to: "b", size: { memoryBytes: 4e9, filesBytes: 0 } });
  expect(expected).toMatchObject({ basis: "NodePair", sharedWith: 0 });
  expect(expected.milliseconds).toBeCloseTo(8_400, -2);
});
