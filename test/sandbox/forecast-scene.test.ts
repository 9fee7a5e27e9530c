/** The forecast's scene as planning sees it, second by second: what the demo is to show. */
import { describe, expect, it } from "vitest";
import { migrationPolicySpecSchema } from "../../src/api/v1alpha1/migration-policy.ts";
import { isDue } from "../../src/planning/decision.ts";
import { evaluate } from "../../src/planning/evaluate.ts";
import { toPolicy } from "../../src/planning/policy.ts";
import type { ClusterSnapshot, PlanningMemory } from "../../src/planning/snapshot.ts";
import { FORECAST_SCENE } from "../../src/sandbox/demo/workload.ts";
import { memoryCurve } from "../../src/sandbox/nodes/memory-curve.ts";
import { NOW_MS, node, pod } from "../planning/fixtures.ts";

const { nodes, members, policy, markAbove = 1 } = FORECAST_SCENE;
/** The nodes are measured for so long before the pods start. */
const BEFORE_SECONDS = 10;

/** So many seconds after all pods have started. */
function snapshotAt(seconds: number, memory: PlanningMemory | undefined): ClusterSnapshot {
  const timeMs = NOW_MS + seconds * 1000;
  const measured = (from: number, bytes: (second: number) => number) => {
    const at = Array.from({ length: seconds - from + 1 }, (_, index) => from + index);
    const series = {
      timesMs: Float64Array.from(at, (second) => NOW_MS + second * 1000),
      bytes: Float64Array.from(at, bytes),
    };
    return { series, usedBytes: series.bytes.at(-1) ?? 0, sampledAtMs: timeMs };
  };
  const curves = members.map((member) => ({ ...member, use: memoryCurve(member.memory) }));
  const useOn = (name: string, second: number) =>
    curves.reduce((sum, { node: on, use }) => sum + (on === name && second >= 0 ? use(second * 1000) : 0), 0);
  return {
    timeMs,
    nodes: nodes.map(({ name, capacityBytes, systemBytes = 0 }) =>
      node(name, {
        capacityBytes,
        allocatableBytes: capacityBytes,
        ...measured(-BEFORE_SECONDS, (second) => systemBytes + useOn(name, second)),
      }),
    ),
    pods: curves.map(({ name, node: on, use }) =>
      pod(name, on, undefined, {
        ...measured(0, (second) => use(second * 1000)),
        startedAtMs: NOW_MS,
        labels: { tier: "batch" },
      }),
    ),
    moves: [],
    ...(memory && { memory }),
  };
}

describe("the forecast's scene", () => {
  it("has the growing pod moved before its node is as full as the mark, and the other left alone", () => {
    const spec = migrationPolicySpecSchema.parse(policy.spec);
    let memory: PlanningMemory | undefined;
    for (let second = 1; second < FORECAST_SCENE.lengthMs / 1000 - 5; second++) {
      const snapshot = snapshotAt(second, memory);
      const evaluation = evaluate(snapshot, [toPolicy("p", spec)]);
      memory = evaluation.memory;
      const due = evaluation.decision.moves.filter((move) => isDue(move, snapshot.timeMs));
      if (due.length === 0) continue;
      expect(due).toMatchObject([{ pod: "training", from: "node-a", to: "node-c", reason: "NodeShortOfMemory" }]);
      const used = (name: string) => {
        const found = snapshot.nodes.find((one) => one.name === name);
        return (found?.usedBytes ?? 0) / (found?.capacityBytes ?? 1);
      };
      expect(used("node-a")).toBeLessThan(markAbove);
      expect(used("node-b")).toBeGreaterThan(markAbove);
      return;
    }
    expect.unreachable("nothing was moved");
  });
});
