/** What keeps pods from being moved again and again. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { MoveSnapshot, PlanningMemory } from "../../src/planning/snapshot.ts";
import { brief, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const snapshotAt = (used: number) => ({
  timeMs: NOW_MS,
  nodes: [node("z2", { usedBytes: used }), node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0 })],
  pods: ["a", "b", "c"].map((name) => pod(name, "z2", 5)),
  moves: [],
});

/** One evaluation after the other; what each said of z2. */
function follow(spec: SpecInput, uses: readonly number[], forget = false) {
  let memory: PlanningMemory = { version: 1, gates: {} };
  return uses.map((used) => {
    const evaluation = evaluate({ ...snapshotAt(used), ...(!forget && { memory }) }, [policy(spec)]);
    // As it would be written down and read again.
    memory = JSON.parse(JSON.stringify(evaluation.memory));
    const { decision } = evaluation;
    const found = decision.nodes.find(({ name }) => name === "z2");
    return { outcome: decision.outcome, reason: found?.reason, pressure: found?.pressureBytes };
  });
}

describe("confirmation", () => {
  const twoOfThree = { pressure: { freeBelow: "20%", confirmation: { needed: 2, of: 3 } } };

  it("2 of 3: moves at the second sight of pressure, also after one without, not after two", () => {
    const outcomes = (uses: number[]) => follow(twoOfThree, uses).map(({ outcome }) => outcome);
    expect(outcomes([90, 90])).toEqual(["Waiting", "Moves"]);
    expect(outcomes([90, 50, 90])).toEqual(["Waiting", "NothingToDo", "Moves"]);
    expect(outcomes([90, 50, 50, 90])).toEqual(["Waiting", "NothingToDo", "NothingToDo", "Waiting"]);
    expect(follow(twoOfThree, [90])[0]?.reason).toBe("NotConfirmed");
  });

  it("without memory waits for ever rather than move too soon", () => {
    expect(follow(twoOfThree, [90, 90, 90], true).map(({ outcome }) => outcome)).toEqual(Array(3).fill("Waiting"));
  });

  it("remembers nothing of nodes without pressure", () => {
    const { memory } = evaluate(snapshotAt(50), [policy(twoOfThree)]);
    expect(memory).toEqual({ version: 1, gates: {} });
  });

  it("a policy whose turn it is not keeps what it saw", () => {
    const first = evaluate(snapshotAt(90), [policy(twoOfThree)]);
    const between = evaluate({ ...snapshotAt(90), memory: first.memory }, [policy(twoOfThree)], { isDue: () => false });
    expect(between.memory).toEqual(first.memory);
    const last = evaluate({ ...snapshotAt(90), memory: between.memory }, [policy(twoOfThree)]);
    expect(last.decision.outcome).toBe("Moves");
  });
});

describe("freeUntil", () => {
  const spec = { pressure: { freeBelow: "20%", freeUntil: "30%" } };

  it("once short, a node is short until so much is free; before it is not", () => {
    const pressures = follow(spec, [75, 85, 75, 70, 75]).map(({ pressure }) => pressure);
    expect(pressures).toEqual([0, 15, 5, 0, 0]);
  });

  it("without memory a node in between is not short", () => {
    expect(follow(spec, [85, 75], true).map(({ pressure }) => pressure)).toEqual([15, 0]);
  });

  it("less than freeBelow counts as freeBelow", () => {
    const lower = { pressure: { freeBelow: "20%", freeUntil: "10%" } };
    expect(follow(lower, [85, 85, 80]).map(({ pressure }) => pressure)).toEqual([5, 5, 0]);
  });
});

describe("a pod that was moved", () => {
  const moved = (secondsAgo: number) => [
    move({
      pod: "a",
      from: "z1",
      to: "z2",
      lineage: "uid-a",
      phase: "Succeeded",
      finishedAtMs: NOW_MS - secondsAgo * 1000,
    }),
  ];
  const only = { ...snapshotAt(90), pods: [pod("a", "z2", 15)] };
  const decide = (secondsAgo: number, spec: SpecInput) =>
    evaluate({ ...only, moves: moved(secondsAgo) }, [policy(spec)]).decision;

  it.each([
    [299, []],
    [300, ["a→z1"]],
  ])("goes back to where it came from %d s later: %j", (secondsAgo, expected) => {
    const decision = decide(secondsAgo, {});
    expect(brief(decision.moves)).toEqual(expected);
    const reasons = decision.refusals.map(({ reason }) => reason);
    expect(reasons.includes("JustLeft")).toBe(expected.length === 0);
  });

  it.each([
    [599, []],
    [600, ["a→z1"]],
  ])("is moved again %d s later: %j", (secondsAgo, expected) => {
    const spec = { eligibility: { cooldown: "10m" }, placement: { noReturnFor: "0s" } };
    const decision = decide(secondsAgo, spec);
    expect(brief(decision.moves)).toEqual(expected);
    expect(decision.refusals.some(({ reason }) => reason === "Cooldown")).toBe(expected.length === 0);
  });
});

describe("maxMovesPerNode", () => {
  const nodes = [node("a", { usedBytes: 95 }), node("b", { usedBytes: 95 }), ...["t", "u"].map((name) => node(name))];
  const pods = ["a", "b"].flatMap((on) => ["1", "2", "3"].map((name) => pod(`${on}${name}`, on, 5)));
  const decide = (pacing: SpecInput["pacing"], moves: MoveSnapshot[] = []) =>
    evaluate({ timeMs: NOW_MS, nodes, pods, moves }, [policy({ pacing })]).decision.moves;
  const count = (planned: readonly { from: string; to: string }[], end: "from" | "to") =>
    Object.fromEntries([...Map.groupBy(planned, (one) => one[end])].map(([name, list]) => [name, list.length]));

  it("bounds what starts together under Blocking, from a node and to a node", () => {
    const most = { strategy: "Blocking", maxMovesPerEvaluation: 10 } as const;
    expect(count(decide(most), "from")).toEqual({ a: 3, b: 3 });
    const moves = decide({ ...most, maxMovesPerNode: 1 });
    expect(count(moves, "from")).toEqual({ a: 1, b: 1 });
    expect(count(moves, "to")).toEqual({ t: 1, u: 1 });
  });

  it("counts moves under way under Concurrent, and never admits more than maxPerNode", () => {
    const most = { strategy: "Concurrent", maxMovesPerEvaluation: 10 } as const;
    const limits = { ...most, concurrent: { maxPerNode: 3, maxPerCluster: 10 } };
    const underWay = [move({ pod: "a1", podUID: "uid-a1", from: "a", to: "t", memoryBytes: 5 })];
    expect(count(decide({ ...limits, maxMovesPerNode: 2 }, underWay), "from")).toEqual({ a: 1, b: 2 });
    expect(count(decide({ ...limits, maxMovesPerNode: 2 }, underWay), "to")).toEqual({ t: 1, u: 2 });
    expect(count(decide({ ...limits, maxMovesPerNode: 9 }), "from")).toEqual({ a: 3, b: 3 });
  });
});

describe("maxMovesPerHour", () => {
  const decide = (ages: number[], maxMovesPerHour: number) => {
    const moves = ages.map((minutes, index) =>
      move({
        pod: `x${index}`,
        from: "z8",
        to: "z9",
        phase: "Succeeded",
        startedAtMs: NOW_MS - minutes * 60_000,
        finishedAtMs: NOW_MS - minutes * 60_000 + 1000,
      }),
    );
    const pacing = { maxMovesPerHour, maxMovesPerEvaluation: 10 };
    return evaluate({ ...snapshotAt(95), moves }, [policy({ pacing })]).decision;
  };

  it("counts the moves of the last hour, and those that are planned", () => {
    expect(decide([59, 59, 61], 2).nodes[0]).toMatchObject({ outcome: "Waiting", reason: "MovesPerHour" });
    expect(decide([59, 61, 61], 2).moves).toHaveLength(1);
    expect(decide([61, 61, 61], 2).moves).toHaveLength(2);
  });
});
