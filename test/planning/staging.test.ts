/** The copy that a move stages on its target, beside the pod. Nodes have 100 GiB. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { ClusterSnapshot, MoveSnapshot, NodeSnapshot } from "../../src/planning/snapshot.ts";
import { stagingBytes } from "../../src/planning/staging.ts";
import { brief, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const GI = 2 ** 30;
const MI = 2 ** 20;

const at = (name: string, used: number, more: Partial<NodeSnapshot> = {}) =>
  node(name, {
    capacityBytes: 100 * GI,
    allocatableBytes: 100 * GI,
    usedBytes: used * GI,
    sampledAtMs: NOW_MS,
    ...more,
  });
const stagingAt = (name: string, used: number, staging: number) => at(name, used, { stagingFreeBytes: staging * GI });

/** z2 is short by 20 GiB or more; its pods, in GiB. */
const decide = (
  target: NodeSnapshot,
  pods: Record<string, number>,
  moves: MoveSnapshot[] = [],
  spec: SpecInput = {},
) => {
  const snapshot: ClusterSnapshot = {
    timeMs: NOW_MS,
    nodes: [at("z2", 100), target],
    pods: Object.entries(pods).map(([name, used]) => pod(name, "z2", used * GI)),
    moves,
  };
  const pacing = { strategy: "Concurrent", concurrent: { maxPerNode: 9 }, maxMovesPerEvaluation: 9 } as const;
  return evaluate(snapshot, [policy({ placement: { margin: "0%" }, pacing, ...spec })]).decision;
};
const refusedAt = (decision: ReturnType<typeof decide>) =>
  decision.refusals.filter(({ node: of }) => of === "z1").map(({ pod: name, reason }) => `${name} ${reason}`);

describe("a move stages at most", () => {
  it.each([
    ["CRIU's own images", 0, 0, 64 * MI],
    ["a tenth more than its memory", 10 * GI, 0, 11 * GI + 64 * MI],
    ["its files that are in memory in the same way", 10 * GI, 10 * GI, 22 * GI + 64 * MI],
  ])("%s", (_, memoryBytes, memoryFilesBytes, expected) => {
    const bytes = stagingBytes({ memoryBytes, memoryFilesBytes });
    expect(bytes - expected).toBeGreaterThanOrEqual(0);
    expect(bytes - expected).toBeLessThanOrEqual(1);
  });
});

describe("a target of a pod of 40 GiB, whose copy may take 44 GiB and 64 MiB,", () => {
  it.each([
    ["may stage a little more than the copy", stagingAt("z1", 0, 44.1), "w→z1"],
    ["may stage a little less", stagingAt("z1", 0, 44), "w NoStagingRoom"],
    ["has room for both", stagingAt("z1", 15.9, 100), "w→z1"],
    ["has room for the pod and as much again", stagingAt("z1", 16, 100), "w NoRoomForCopy"],
    ["is not asked what nobody knows", at("z1", 39), "w→z1"],
  ])("%s", (_, target, expected) => {
    const decision = decide(target, { w: 40 });
    expect([...brief(decision.moves), ...refusedAt(decision)]).toEqual([expected]);
  });
});

describe("what can be staged is shared", () => {
  /** Stages up to 11 GiB and 64 MiB, with 10 GiB of files 11 GiB more. */
  const underWay = (more: Partial<MoveSnapshot> = {}) =>
    move({ pod: "x", podUID: "uid-x", from: "z9", to: "z1", memoryBytes: 10 * GI, ...more });

  it.each([
    ["under way", 33.2, [underWay()], ["w→z1"]],
    ["under way", 33.1, [underWay()], []],
    ["under way, with its files,", 44.2, [underWay({ memoryFilesBytes: 10 * GI })], ["w→z1"]],
    ["under way, with its files,", 44.1, [underWay({ memoryFilesBytes: 10 * GI })], []],
    ["that has ended", 22.1, [underWay({ phase: "Succeeded", finishedAtMs: NOW_MS - 600_000 })], ["w→z1"]],
  ])("with a move %s: %d GiB for both", (_, staging, moves, expected) => {
    expect(brief(decide(stagingAt("z1", 0, staging), { w: 20 }, moves).moves)).toEqual(expected);
  });

  it.each<[SpecInput["selection"]]>([[{ strategy: "Max" }], [{ strategy: "Optimal" }], [{ strategy: "Cheapest" }]])(
    "by the moves of one plan: %j",
    (selection) => {
      const planned = (staging: number) => decide(stagingAt("z1", 0, staging), { a: 10, b: 10 }, [], { selection });
      expect(brief(planned(22.2).moves)).toEqual(["a→z1", "b→z1"]);
      expect(brief(planned(22.1).moves)).toEqual(["a→z1"]);
    },
  );

  it("in what is planned together: rather one pod that costs more than two of which one must stay", () => {
    const small = (name: string) => pod(name, "z2", 10 * GI, { startedAtMs: NOW_MS, nodeSelector: { disk: "ssd" } });
    const planned = (staging: number) => {
      const nodes = [
        at("z2", 100),
        at("z1", 0, { stagingFreeBytes: staging * GI, labels: { disk: "ssd" } }),
        at("z3", 0),
      ];
      const pods = [small("a"), small("b"), pod("big", "z2", 40 * GI, { startedAtMs: NOW_MS })];
      const selection = { strategy: "Cheapest" } as const;
      const pacing = { maxMovesPerEvaluation: 9 };
      return brief(
        evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [policy({ selection, pacing })]).decision.moves,
      );
    };
    expect(planned(22.2)).toEqual(["a→z1", "b→z1"]);
    expect(planned(22.1)).toEqual(["big→z3"]);
  });
});
