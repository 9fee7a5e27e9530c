/** The predecessor's cases: node size 100, so bytes are percent. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import { gateCloses } from "../../src/planning/scheduling-gate/scheduling-gate.ts";
import { knapsack } from "../../src/planning/selection/knapsack.ts";
import { brief, cluster, move, NOW_MS, node, pod, policy } from "./fixtures.ts";

describe("case 1, Threshold", () => {
  it("at 40%, z2{w40,q45} must free 25 and z1{w1,q30} nothing", () => {
    const snapshot = cluster({ z2: { w: 40, q: 45 }, z1: { w1: 1, q1: 30 } });
    const { decision } = evaluate(snapshot, [policy({ pressure: { freeBelow: "40%" } })]);
    expect(decision.nodes.map(({ name, pressureBytes }) => [name, pressureBytes])).toEqual([
      ["z2", 25],
      ["z1", 0],
    ]);
  });

  it("is strict: exactly the threshold is enough", () => {
    const { decision } = evaluate(cluster({ z: { a: 60 } }), [policy({ pressure: { freeBelow: "40%" } })]);
    expect(decision.nodes[0]?.pressureBytes).toBe(0);
  });
});

describe("case 3, room on the target", () => {
  it("at 10% only q40 of [w60,q40] fits, on z1 (31 used) rather than z3 (35 used)", () => {
    const nodes = [node("z1", { usedBytes: 31 }), node("z2"), node("z3", { usedBytes: 35 })];
    const pods = [pod("w", "z2", 60), pod("q", "z2", 40)];
    const { decision } = evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [
      policy({ pressure: { freeBelow: "10%" }, pacing: { maxMovesPerEvaluation: 10 } }),
    ]);
    expect(brief(decision.moves)).toEqual(["q→z1"]);
    expect(decision.refusals.filter((one) => one.pod === "w").map(({ node, reason }) => [node, reason])).toEqual([
      [undefined, "NoTarget"],
      ["z1", "NotEnoughRoom"],
      ["z3", "NotEnoughRoom"],
    ]);
  });
});

describe("case 5, Optimal", () => {
  const choose = (amount: number, pods: Record<string, number>, migrations: Record<string, number> = {}) => {
    const names = Object.keys(pods);
    const items = names.map((name) => ({
      weight: pods[name] ?? 0,
      value: 0.5 ** (migrations[name] ?? 0) * (pods[name] ?? 0),
    }));
    return knapsack(items, amount).map((index) => names[index]);
  };

  it.each([
    [50, { ow: 20, oq: 25, or: 40 }, {}, ["ow", "oq"]],
    [50, { or: 40, oq: 45 }, {}, ["oq"]],
    [45, { ow: 20, oq: 25, or: 44 }, {}, ["ow", "oq"]],
    [10, { ow: 20, oq: 25 }, {}, []],
    [50, { a: 40, b: 25, c: 20 }, { a: 1 }, ["b", "c"]],
  ])("of %d free for %j moved %j it takes %j", (amount, pods, migrations, expected) => {
    expect(choose(amount, pods, migrations)).toEqual(expected);
  });

  it("through a whole plan: ow and oq go, or1 is below the floor and never chosen", () => {
    const layout = { z2: { ow: 20, oq: 25, or: 1, oy: 6 }, z1: { x: 1 } };
    const snapshot = cluster(layout);
    for (const one of snapshot.pods) one.usedBytes = (one.usedBytes ?? 0) * 1024;
    for (const one of snapshot.nodes) one.capacityBytes = 102_400;
    const { decision } = evaluate(snapshot, [
      policy({
        pressure: { freeBelow: "98%" },
        selection: { strategy: "Optimal" },
        eligibility: { minMemory: "5Ki" },
        placement: { margin: "0%" },
        pacing: { maxMovesPerEvaluation: 10 },
      }),
    ]);
    expect(decision.refusals.find((one) => one.pod === "or")?.reason).toBe("BelowMinMemory");
    expect(decision.moves.every((one) => one.pod !== "or")).toBe(true);
  });

  it("free + amount as freeBelow asks for the amount: 50 of {ow20,oq25,or40} moves ow and oq", () => {
    const snapshot = cluster({ z2: { ow: 20, oq: 25, or: 40 } });
    snapshot.nodes.push(node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0 }));
    const { decision } = evaluate(snapshot, [
      policy({
        pressure: { freeBelow: "65%" },
        selection: { strategy: "Optimal" },
        pacing: { maxMovesPerEvaluation: 10 },
      }),
    ]);
    expect(brief(decision.moves).sort()).toEqual(["oq→z1", "ow→z1"]);
  });
});

describe("case 6, Blocking with Optimal 50 over {ow40,oq45}", () => {
  const decide = (moves: Parameters<typeof move>[0][]) => {
    const snapshot = cluster({ z2: { ow: 40, oq: 45 } }, { moves: moves.map(move) });
    snapshot.nodes.push(node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0 }));
    return evaluate(snapshot, [policy({ pressure: { freeBelow: "65%" }, selection: { strategy: "Optimal" } })])
      .decision;
  };
  const other = { pod: "x", from: "z9", to: "z8" };

  it("moves something", () => {
    expect(brief(decide([]).moves)).toEqual(["oq→z1"]);
  });

  it("moves nothing while a move is under way, and says so", () => {
    const decision = decide([{ ...other, phase: "Frozen" }]);
    expect(decision.outcome).toBe("Waiting");
    expect(decision.nodes.find(({ name }) => name === "z2")?.reason).toBe("MoveUnderWay");
  });

  it.each([
    [29, "Waiting"],
    [30, "Moves"],
    [3600, "Moves"],
  ])("%d s after its end: %s", (seconds, outcome) => {
    expect(decide([{ ...other, phase: "Succeeded", finishedAtMs: NOW_MS - seconds * 1000 }]).outcome).toBe(outcome);
  });
});

describe("case 7, Max at 20%", () => {
  it("moves the 45 of z2{42,45} to z1{10}", () => {
    const { decision } = evaluate(cluster({ z2: { a: 42, b: 45 }, z1: { c: 10 } }), [policy()]);
    expect(brief(decision.moves)).toEqual(["b→z1"]);
    expect(decision.outcome).toBe("Moves");
  });

  it("z2{30,30,30}, z1{80}: nodes are full, nothing moves", () => {
    const { decision } = evaluate(cluster({ z2: { a: 30, b: 30, c: 30 }, z1: { d: 80 } }), [policy()]);
    expect(decision.moves).toEqual([]);
    expect(decision.outcome).toBe("NodesFull");
  });

  it("moves although its biggest pod is smaller than the amount, and the next too", () => {
    const snapshot = cluster({ z2: { a: 30, b: 35, c: 34 } });
    snapshot.nodes.push(node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0 }));
    const spec = { pressure: { freeBelow: "50%" }, pacing: { maxMovesPerEvaluation: 10 } };
    expect(brief(evaluate(snapshot, [policy(spec)]).decision.moves)).toEqual(["b→z1", "c→z1"]);
  });
});

describe("case 10, the scheduling gate at 0.8 with 0.65", () => {
  it("stays open at 10%, closes at 85%, stays closed at 70%, opens at 64%", () => {
    const limits = { closeAbove: 0.8, reopenBelow: 0.65 };
    let closed = false;
    const seen = [0.1, 0.85, 0.7, 0.64, 0.7].map((used) => {
      closed = gateCloses(used, closed, limits);
      return closed;
    });
    expect(seen).toEqual([false, true, true, false, false]);
  });
});
