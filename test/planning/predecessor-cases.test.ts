/** The predecessor's cases: node size 100, so bytes are percent. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import { expectedFinishMs } from "../../src/planning/move-duration.ts";
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

describe("case 2, Slope at 10% with 5 min ahead", () => {
  const spec = { pressure: { strategy: "Slope" as const, freeBelow: "10%", slope: { ahead: "5m" } } };
  const growing = (layout: Record<string, Record<string, [used: number, growth: number | undefined]>>) => {
    const pods = Object.entries(layout).flatMap(([on, each]) =>
      Object.entries(each).map(([name, [used, growth]]) =>
        pod(name, on, used, growth === undefined ? {} : { growthBytesPerMinute: growth }),
      ),
    );
    const nodes = Object.keys(layout).map((name) => node(name));
    return evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [policy(spec)]).decision;
  };
  const pressures = (layout: Parameters<typeof growing>[0]) =>
    Object.fromEntries(growing(layout).nodes.map(({ name, pressureBytes }) => [name, pressureBytes]));

  it("z2{w40@1.5/min,q45@1} must free 7.5 and z1{w50@3,q30@0} 5", () => {
    const layout = { z2: { w: [40, 1.5], q: [45, 1] }, z1: { w1: [50, 3], q1: [30, 0] } } as const;
    expect(pressures(structuredClone(layout) as never)).toEqual({ z2: 7.5, z1: 5 }); // as const is readonly
  });

  it("unknown growth frees nothing: it is none, and is told", () => {
    expect(pressures({ z: { w: [40, 1.5], q: [45, undefined] } })).toEqual({ z: 2.5 });
    expect(growing({ z: { w: [40, 1.5], q: [45, undefined] } }).nodes[0]?.message).toContain("1 pods not known");
  });

  it("a pod that shrinks does not cancel one that grows", () => {
    expect(pressures({ z: { w: [40, 1.5], q: [45, -1.5] } })).toEqual({ z: 2.5 });
  });

  it("says when nothing will be free: 15 free at 2.5 a minute, in 6 minutes", () => {
    const { nodes } = growing({ z: { w: [40, 1.5], q: [45, 1] } });
    expect(nodes[0]?.exhaustedAtMs).toBe(NOW_MS + 6 * 60_000);
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

describe("case 4, BigEnough", () => {
  it.each([
    [26, ["b→z1"]],
    [30, ["b→z1"]],
    [31, ["c→z1"]],
    [41, []],
  ])("of {20,30,40} for %d it takes %j", (amount, expected) => {
    const snapshot = cluster({ z2: { a: 20, b: 30, c: 40 } });
    snapshot.nodes.push(node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0 }));
    const spec = { pressure: { freeBelow: `${10 + amount}%` }, selection: { strategy: "BigEnough" as const } };
    const { decision } = evaluate(snapshot, [policy({ ...spec, pacing: { maxMovesPerEvaluation: 10 } })]);
    expect(brief(decision.moves)).toEqual(expected);
    if (expected.length === 0) expect(decision.nodes[0]?.reason).toBe("NothingSelected");
  });

  it("nodes are full when the pod that is big enough has no target, though a smaller one has", () => {
    const { decision } = evaluate(cluster({ z2: { a: 10, b: 85 }, z1: { x: 50 } }), [
      policy({ pressure: { freeBelow: "20%" }, selection: { strategy: "BigEnough" } }),
    ]);
    expect(decision).toMatchObject({ outcome: "NodesFull", moves: [] });
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

describe("case 8, selection Slope with 5 min ahead, 10 free", () => {
  const GI = 2 ** 30;
  it.each<[string, Record<string, number | undefined>, string[]]>([
    ["w3 q1", { w: 3, q: 1 }, ["w"]],
    ["0 0", { w: 0, q: 0 }, []],
    ["1 0.5", { w: 1, q: 0.5 }, []],
    ["3 4 2: the steepest until the others fit", { a: 3, b: 4, c: 2 }, ["b", "a"]],
    ["1.9: fits", { a: 1.9 }, []],
    ["unknown: never chosen", { a: undefined, b: 3 }, ["b"]],
  ])("%s", (_, growths, expected) => {
    const names = Object.keys(growths);
    const pods = names.map((name) => {
      const growth = growths[name];
      return pod(name, "z2", 20 * GI, growth === undefined ? {} : { growthBytesPerMinute: growth * GI });
    });
    const big = { capacityBytes: 1000 * GI, allocatableBytes: 1000 * GI, usedBytes: 0 };
    const nodes = [node("z2", { capacityBytes: 100 * GI, usedBytes: 90 * GI }), node("z1", big)];
    const { decision } = evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [
      policy({
        pressure: { freeBelow: "70%" },
        selection: { strategy: "Slope" },
        pacing: { maxMovesPerEvaluation: 10 },
      }),
    ]);
    expect(decision.moves.map((one) => one.pod)).toEqual(expected);
  });
});

describe("case 9, the predicted end of moves", () => {
  const GB = 1e9;
  const underWay = (name: string, bytes: number) =>
    move({ pod: name, from: "a", to: "b", memoryBytes: bytes, startedAtMs: NOW_MS });

  it("10 GB at t0 end at +34 s, 20 GB more at +102 s", () => {
    const [ten, twenty] = [underWay("p", 10 * GB), underWay("q", 20 * GB)];
    expect(expectedFinishMs([ten], NOW_MS)).toBe(NOW_MS + 34_000);
    expect(expectedFinishMs([ten, twenty], NOW_MS)).toBe(NOW_MS + 102_000);
  });

  it("is told while Blocking waits, and each planned move says what it will take", () => {
    const big = { capacityBytes: 100 * GB, allocatableBytes: 100 * GB };
    const nodes = [node("z2", { ...big, usedBytes: 90 * GB }), node("z1", { ...big, usedBytes: 0 })];
    const snapshot = { timeMs: NOW_MS, nodes, pods: [pod("w", "z2", 20 * GB)], moves: [] };
    expect(evaluate(snapshot, [policy()]).decision.moves[0]).toMatchObject({
      expectedSeconds: 68,
      startAtMs: NOW_MS,
    });
    const moves = [underWay("p", 10 * GB), underWay("q", 20 * GB)];
    const { decision } = evaluate({ ...snapshot, moves }, [policy()]);
    expect(decision.nodes[0]?.message).toContain("expected to end in about 102s");
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

describe("case 11, the job filter with BigEnough at 20%", () => {
  it("of {w42,q45}, w at 96% of its runtime and q at 90%, it takes q", () => {
    const ran = (percent: number) => ({ startedAtMs: NOW_MS - percent * 100_000, expectedRuntimeSeconds: 10_000 });
    const pods = [pod("w", "z2", 42, ran(96)), pod("q", "z2", 45, ran(90))];
    const snapshot = { timeMs: NOW_MS, nodes: [node("z2"), node("z1", { usedBytes: 0 })], pods, moves: [] };
    const { decision } = evaluate(snapshot, [policy({ selection: { strategy: "BigEnough" } })]);
    expect(brief(decision.moves)).toEqual(["q→z1"]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "w", reason: "AlmostDone" }));
  });
});
