import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FreezeView, judgeFreeze, survivableMs } from "../../../src/controllers/pod-migration/freeze-watch.ts";
import {
  type FreezeSide,
  freezeRefusal,
  freezeStatus,
} from "../../../src/controllers/pod-migration/preflight/freeze-checks.ts";
import type { Pod } from "../../../src/kube/resources.ts";
import type { ExpectedFreeze } from "../../../src/planning/cost/freeze-costs.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";

/** Forgives 21 s. */
const PROBE = { livenessProbe: { httpGet: { port: 80 } } };
const READINESS = { readinessProbe: { httpGet: { port: 80 }, initialDelaySeconds: 10 } };
const OWNER = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "owner", uid: "u", controller: true };

function pod(probes: object, owned = false): Pod {
  const made = sourcePod();
  Object.assign(made.spec.containers[0] ?? {}, probes);
  if (owned) made.metadata.ownerReferences = [OWNER];
  return made;
}

function known(seconds: number, more: Partial<ExpectedFreeze> = {}): ExpectedFreeze {
  const milliseconds = seconds * 1000;
  const rate = { bytesPerSecond: 100 * 2 ** 20, sharedWith: 0, basis: "Cluster" as const };
  return { milliseconds, atLeastMilliseconds: milliseconds, ...rate, ...more };
}

const refusal = (side: Partial<FreezeSide>) =>
  freezeRefusal({ pod: pod({}), expected: known(1), timeout: "10m", ...side });

describe("by the expected freeze, preflight", () => {
  it.each<[what: string, side: Partial<FreezeSide>, reason: string | undefined]>([
    ["admits a short one", { pod: pod(PROBE) }, undefined],
    ["admits a long one without a liveness probe", { expected: known(300) }, undefined],
    ["refuses one that the probe does not forgive", { pod: pod(PROBE), expected: known(22) }, "LivenessProbe"],
    ["refuses one that leaves no time to resume", { pod: pod(PROBE), expected: known(17) }, "LivenessProbe"],
    ["admits one that just does", { pod: pod(PROBE), expected: known(15.9) }, undefined],
    [
      "admits one that may be short: the link is measured before the freeze",
      { pod: pod(PROBE), expected: known(40, { atLeastMilliseconds: 3_000, basis: "Prior" }) },
      undefined,
    ],
    [
      "refuses a ReplicaSet's pod that is handed over too slowly",
      { pod: pod({ ...PROBE, ...READINESS }, true), expected: known(2) },
      "LivenessProbe",
    ],
    ["refuses one that spec.timeout would cut off", { expected: known(580) }, "TimeoutTooShort"],
    ["admits it with a longer one", { expected: known(580), timeout: "20m" }, undefined],
  ])("%s", (_, side, reason) => {
    expect(refusal(side)?.reason).toBe(reason);
  });

  it("says what to raise, and by how much", () => {
    expect(refusal({ expected: known(580) })?.message).toBe(
      "the pod would be frozen for about 580.0 s at 100Mi/s, which does not fit into spec.timeout (10m): set spec.timeout to 15m or more",
    );
    expect(refusal({ expected: known(580), policyName: "calm" })?.message).toContain(
      "set migration.timeout of MigrationPolicy calm to 15m or more",
    );
  });

  it("says with how many others the link is shared", () => {
    const { message } = refusal({ pod: pod(PROBE), expected: known(30, { sharedWith: 2 }) }) ?? {};
    expect(message).toContain("about 30.0 s at 100Mi/s shared with 2 other moves");
  });
});

describe("what preflight admits", () => {
  const bytes = 10e9;

  it("is never ended by its probe's guard when its transfer goes as was expected", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), (forgivesS, done) => {
        const probed = pod({ livenessProbe: { failureThreshold: 1, timeoutSeconds: forgivesS } });
        const freezeMs = 0.99 * survivableMs(forgivesS * 1000);
        const expected = known(freezeMs / 1000);
        expect(freezeRefusal({ pod: probed, expected, timeout: "10m" })).toBeUndefined();
        const view: FreezeView = {
          nowMs: done * freezeMs,
          sinceMs: 0,
          expected: freezeStatus(probed, expected),
          allowance: { ms: survivableMs(forgivesS * 1000), reason: "LivenessWouldFail", because: "" },
          progress: { sentBytes: done * bytes, totalBytes: bytes, bytesPerSecond: (1000 * bytes) / freezeMs },
          grewAtMs: done * freezeMs,
        };
        expect(judgeFreeze(view).kind).not.toBe("rollBack");
      }),
    );
  });
});
