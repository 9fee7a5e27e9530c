/** Strategies that the predecessor's cases do not cover: pacing Concurrent, placements other than MostFree. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { ClusterSnapshot, MoveSnapshot, NodeSnapshot } from "../../src/planning/snapshot.ts";
import { brief, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const big = (name: string, more: Partial<NodeSnapshot> = {}) =>
  node(name, { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0, sampledAtMs: NOW_MS, ...more });

/** An hour of samples, up to this use by so much a minute. */
function series(bytes: number, perMinute: number) {
  const at = Array.from({ length: 241 }, (_, index) => (index - 240) / 4);
  return {
    series: {
      timesMs: Float64Array.from(at, (minutes) => NOW_MS + minutes * 60_000),
      bytes: Float64Array.from(at, (minutes) => Math.max(0, bytes + perMinute * minutes)),
    },
  };
}

describe("Concurrent", () => {
  const nodes = [node("a", { usedBytes: 95 }), node("b", { usedBytes: 95 }), big("t")];
  const pods = ["a", "b"].flatMap((on) => ["1", "2", "3"].map((name) => pod(`${on}${name}`, on, 5)));
  const decide = (concurrent: object, most: number, moves: MoveSnapshot[] = [], more: NodeSnapshot[] = []) =>
    evaluate({ timeMs: NOW_MS, nodes: [...nodes, ...more], pods, moves }, [
      policy({ pacing: { strategy: "Concurrent", maxMovesPerEvaluation: most, concurrent } }),
    ]).decision;
  const underWay = (name: string, from: string, to: string) =>
    move({ pod: name, podUID: `uid-${name}`, from, to, memoryBytes: 1, phase: "Frozen" });

  it("starts while a move is under way, and leaves its pod alone", () => {
    const decision = decide({}, 1, [underWay("a1", "a", "t")]);
    expect(decision.outcome).toBe("Moves");
    expect(decision.moves.map((one) => one.pod)).not.toContain("a1");
  });

  it("moves so many at once from a node and to a node, those under way counted", () => {
    const limits = { maxPerNode: 2, maxPerCluster: 10 };
    expect(brief(decide(limits, 10).moves)).toEqual(["a1→t", "a2→t"]);
    expect(brief(decide(limits, 10, [], [big("u", { usedBytes: 1 })]).moves)).toEqual(["a1→t", "a2→u", "b1→t", "b2→u"]);
    const busy = decide(limits, 10, [underWay("a1", "a", "u"), underWay("a2", "a", "u")]);
    expect(brief(busy.moves)).toEqual(["b1→t", "b2→t"]);
    expect(busy.nodes.find(({ name }) => name === "a")).toMatchObject({ outcome: "Waiting", reason: "MovesPerNode" });
  });

  it("waits, and does not call nodes full, while the only target takes as many as it may", () => {
    const { outcome, nodes: found } = decide({ maxPerNode: 1 }, 10, [underWay("x", "c", "t")]);
    expect(outcome).toBe("Waiting");
    expect(found[0]).toMatchObject({ reason: "MovesPerNode" });
  });

  it("moves so many at once in the cluster", () => {
    const limits = { maxPerNode: 9, maxPerCluster: 3 };
    expect(decide(limits, 10).moves).toHaveLength(3);
    expect(decide(limits, 10, [underWay("x", "c", "d"), underWay("y", "c", "d")]).moves).toHaveLength(1);
    const full = ["x", "y", "z"].map((name) => underWay(name, "c", "d"));
    expect(decide(limits, 10, full).nodes[0]).toMatchObject({ outcome: "Waiting", reason: "MovesPerCluster" });
  });

  it("counts what other policies start in the same evaluation", () => {
    const spec = {
      pacing: {
        strategy: "Concurrent" as const,
        maxMovesPerEvaluation: 2,
        concurrent: { maxPerCluster: 3, maxPerNode: 9 },
      },
    };
    const both = [policy({ ...spec, podSelector: { matchLabels: { app: "x" } } }, "p"), policy(spec, "q")];
    const labelled = pods.map((one) => (one.node === "a" ? { ...one, labels: { app: "x" } } : one));
    const { moves } = evaluate({ timeMs: NOW_MS, nodes, pods: labelled, moves: [] }, both).decision;
    expect(moves.map((one) => one.policy)).toEqual(["p", "p", "q"]);
  });
});

describe("placement", () => {
  const targets = [
    big("roomy", { usedBytes: 100 }),
    big("tight", { usedBytes: 600 }),
    big("promised", { usedBytes: 50 }),
    big("full", { usedBytes: 900 }),
  ];
  const pods = [pod("w", "z2", 60), pod("holder", "promised", 1, { requestBytes: 800 })];
  it.each([
    ["MostFree", "promised"],
    ["BestFit", "tight"],
    ["LeastLoaded", "roomy"],
  ] as const)("%s takes the node that is %s", (strategy, expected) => {
    const snapshot = { timeMs: NOW_MS, nodes: [node("z2", { usedBytes: 90 }), ...targets], pods, moves: [] };
    expect(brief(evaluate(snapshot, [policy({ placement: { strategy } })]).decision.moves)).toEqual([`w→${expected}`]);
  });

  describe("MostHeadroom", () => {
    const growing = big("growing", { usedBytes: 100, ...series(100, 1.5) });
    const level = big("level", { usedBytes: 150, ...series(150, 0) });
    const short = node("z2", { usedBytes: 90 });
    const decide = (spec: SpecInput, more: Partial<ClusterSnapshot> = {}) =>
      brief(
        evaluate({ timeMs: NOW_MS, nodes: [short, growing, level], pods, moves: [], ...more }, [policy(spec)]).decision
          .moves,
      );

    it("takes the node that will have most, not the one that has most now", () => {
      expect(decide({ placement: { strategy: "MostHeadroom" } })).toEqual(["w→growing"]);
      expect(decide({ placement: { strategy: "MostHeadroom", mostHeadroom: { ahead: "1h" } } })).toEqual(["w→level"]);
      expect(decide({ placement: { strategy: "MostHeadroom", mostHeadroom: { ahead: "0s" } } })).toEqual(["w→growing"]);
    });

    it("counts the growth of what is on its way there", () => {
      const placement = { strategy: "MostHeadroom" as const, mostHeadroom: { ahead: "20m" } };
      const nodes = [short, big("a", { usedBytes: 100 }), big("b", { usedBytes: 200 })];
      const coming = pod("c", "other", 10, { growthBytesPerMinute: 6 });
      const moves = [move({ pod: "c", podUID: "uid-c", from: "other", to: "a", memoryBytes: 10 })];
      const pacing = { strategy: "Concurrent" as const };
      expect(decide({ placement, pacing }, { nodes, pods: [...pods, coming] })).toEqual(["w→a"]);
      expect(decide({ placement, pacing }, { nodes, pods: [...pods, coming], moves })).toEqual(["w→b"]);
    });

    it("goes by the bounds of what is foreseen where the policy forecasts", () => {
      const forecast = { horizon: "50m", model: "Linear" as const };
      const pressure = { strategy: "Forecast" as const, freeBelow: "20%", forecast };
      const ahead = { strategy: "MostHeadroom" as const, mostHeadroom: { ahead: "0s" } };
      expect(decide({ pressure, placement: { strategy: "MostFree" } })).toEqual(["w→growing"]);
      expect(decide({ pressure, placement: ahead })).toEqual(["w→level"]);
    });
  });
});
