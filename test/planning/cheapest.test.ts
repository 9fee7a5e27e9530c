/** Selection Cheapest: what a move costs, and short nodes planned together. Nodes have 100 GiB. */
import { describe, expect, it } from "vitest";
import { lossProbability } from "../../src/planning/cost/weighed-cost.ts";
import type { Decision } from "../../src/planning/decision.ts";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { ClusterSnapshot, NodeSnapshot, PodSnapshot } from "../../src/planning/snapshot.ts";
import { brief, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const GI = 2 ** 30;
const HOUR_MS = 3_600_000;
const at = (name: string, used: number, more: Partial<NodeSnapshot> = {}) =>
  node(name, {
    capacityBytes: 100 * GI,
    allocatableBytes: 100 * GI,
    usedBytes: used * GI,
    sampledAtMs: NOW_MS,
    ...more,
  });
/** Has just started, so that nothing would be lost. */
const of = (name: string, onNode: string, used: number, more: Partial<PodSnapshot> = {}) =>
  pod(name, onNode, used * GI, { startedAtMs: NOW_MS, ...more });
const weighs = (weight: string) => ({ annotations: { "headroom.dev/move-cost": weight } });

const cheapest = (spec: SpecInput = {}, name = "p") =>
  policy(
    {
      pressure: { strategy: "Threshold", freeBelow: "20%" },
      selection: { strategy: "Cheapest" },
      placement: { strategy: "MostFree", margin: "0%" },
      pacing: { strategy: "Blocking", maxMovesPerEvaluation: 10 },
      ...spec,
    },
    name,
  );

const cluster = (nodes: NodeSnapshot[], pods: PodSnapshot[], more: Partial<ClusterSnapshot> = {}): ClusterSnapshot => ({
  ...{ timeMs: NOW_MS, nodes, pods, moves: [] },
  ...more,
});

/** A node 20 GiB short, and one with plenty of room. */
const oneShort = (pods: PodSnapshot[], more: Partial<ClusterSnapshot> = {}) =>
  evaluate(cluster([at("z2", 100), at("z1", 10)], pods, more), [cheapest()]).decision;

const messageOf = ({ refusals }: Decision, name: string) => refusals.find((one) => one.pod === name)?.message;

describe("what a move costs", () => {
  it("goes by the freeze: just enough of the smallest, not the biggest", () => {
    expect(brief(oneShort([of("big", "z2", 60), of("a", "z2", 11), of("b", "z2", 10)]).moves)).toEqual([
      "a→z1",
      "b→z1",
    ]);
  });

  it("is multiplied by the pod's weight", () => {
    const pods = [of("dear", "z2", 20, weighs("4")), of("other", "z2", 50), of("rest", "z2", 10)];
    expect(brief(oneShort(pods).moves)).toEqual(["other→z1"]);
    expect(brief(oneShort([of("dear", "z2", 20, weighs("2")), ...pods.slice(1)]).moves)).toEqual(["dear→z1"]);
  });

  it("is doubled for each earlier move of the lineage", () => {
    const moved = of("moved", "z2", 20, { migrations: 2 });
    const decision = oneShort([moved, of("other", "z2", 50)]);
    expect(brief(decision.moves)).toEqual(["other→z1"]);
    expect(messageOf(decision, "moved")).toContain("× 4 for earlier moves");
  });

  it("holds the risk of losing work, which grows with the hours run", () => {
    const long = of("long", "z2", 20, { startedAtMs: NOW_MS - 100 * HOUR_MS });
    expect(brief(oneShort([long, of("young", "z2", 40)]).moves)).toEqual(["young→z1"]);
    const freezesOnly = cheapest({ selection: { strategy: "Cheapest", cheapest: { lostWork: "0s" } } });
    const snapshot = cluster([at("z2", 100), at("z1", 10)], [long, of("young", "z2", 40)]);
    expect(brief(evaluate(snapshot, [freezesOnly]).decision.moves)).toEqual(["long→z1"]);
  });

  it("counts a pod whose start is not known as one that has run for a day", () => {
    const { startedAtMs: _, ...unknown } = of("unknown", "z2", 20);
    expect(brief(oneShort([unknown, of("young", "z2", 40)]).moves)).toEqual(["young→z1"]);
  });

  it("is learnt from the freezes on record", () => {
    const moves = Array.from({ length: 20 }, (_, index) =>
      move({
        ...{ pod: `q${index}`, from: "z9", to: "z8", phase: "Succeeded", memoryBytes: (1 + index) * GI },
        ...{ startedAtMs: NOW_MS - 900_000, finishedAtMs: NOW_MS - 600_000, freezeMilliseconds: 2000 + 100 * index },
      }),
    );
    expect(oneShort([of("w", "z2", 30)], { moves }).moves[0]?.message).toMatch(
      /it costs 4\.\ds \(4\.\ds freeze \+ 0\.0s risk\)/,
    );
  });

  it.each(["", "0", "-1", "much", "1e9", "Infinity", "99999999"])(
    "counts a weight of %j as 1, and says so",
    (written) => {
      const decision = oneShort([of("w", "z2", 20, weighs(written))]);
      expect(decision.moves[0]?.message).toContain("headroom.dev/move-cost is no number above 0");
    },
  );

  it.each([
    ["nothing on record: one of twenty", [], 1 / 20],
    ["succeeded moves lower it", Array(20).fill({ phase: "Succeeded" }), 1 / 40],
    ["failures after the freeze raise it", Array(20).fill({ phase: "Failed", freezeMilliseconds: 5 }), 21 / 40],
    ["so do those of copies that were never released", [{ phase: "Failed", transferredBytes: 5 }], 2 / 21],
    ["refused and cancelled moves say nothing", [{ phase: "Failed" }, { phase: "Cancelled" }], 1 / 20],
    ["a roll-back loses nothing", [{ phase: "RolledBack", freezeMilliseconds: 5 }], 1 / 21],
  ])("risk: %s", (_, records, expected) => {
    expect(lossProbability(records.map((one) => move({ pod: "p", from: "z2", ...one })))).toBe(expected);
  });
});

describe("short nodes together", () => {
  /** Only t1 takes `pinned`; `cheap` would go there too, `dear` only to t2. */
  const contended = cluster(
    [at("n1", 100), at("n2", 100), at("t1", 60, { labels: { disk: "fast" } }), at("t2", 60)],
    [
      of("cheap", "n1", 20, { nodeSelector: { disk: "fast" } }),
      of("dear", "n1", 20, weighs("3")),
      of("pinned", "n2", 20, { nodeSelector: { disk: "fast" } }),
    ],
  );

  it("a node gives up its cheapest pod when another has only that place to go", () => {
    const { decision } = evaluate(contended, [cheapest()]);
    expect(brief(decision.moves).toSorted()).toEqual(["dear→t2", "pinned→t1"]);
    const alone = evaluate(contended, [cheapest({ selection: { strategy: "Max" } })]).decision;
    expect(brief(alone.moves)).toHaveLength(1);
  });

  it("across policies, whichever comes first", () => {
    const mine = (app: string, name: string) => cheapest({ podSelector: { matchLabels: { app } } }, name);
    const pods = contended.pods.map((one) => ({ ...one, labels: { app: one.node } }));
    for (const [first, second] of [
      ["n1", "n2"],
      ["n2", "n1"],
    ] as const) {
      const pace = { pacing: { strategy: "Concurrent" as const, maxMovesPerEvaluation: 5 } };
      const policies = [
        cheapest({ ...pace, podSelector: { matchLabels: { app: first } } }, "a"),
        cheapest({ ...pace, podSelector: { matchLabels: { app: second } } }, "b"),
      ];
      const { decision } = evaluate({ ...contended, pods }, policies);
      expect(brief(decision.moves).toSorted()).toEqual(["dear→t2", "pinned→t1"]);
    }
    // Blocking lets one of them start; what it leaves alone is the other's room.
    const { decision } = evaluate({ ...contended, pods }, [mine("n1", "a"), mine("n2", "b")]);
    expect(brief(decision.moves)).toEqual(["dear→t2"]);
  });

  it("a policy that only looks changes nothing, and plans for itself", () => {
    const enforce = cheapest({ podSelector: { matchLabels: { app: "n1" } } }, "b");
    const look = cheapest(
      { mode: "DryRun", podSelector: { matchLabels: { app: "n2" } }, pacing: { strategy: "Concurrent" } },
      "a",
    );
    const pods = contended.pods.map((one) => ({ ...one, labels: { app: one.node } }));
    const { moves } = evaluate({ ...contended, pods }, [look, enforce]).decision;
    expect(brief(moves.filter((one) => one.policy === "b"))).toEqual(["cheap→t1"]);
  });

  it("one conflict that no sum shows costs no more than that move", () => {
    const apart = {
      labels: { app: "w" },
      podAntiAffinity: [
        { topologyKey: "kubernetes.io/hostname", selector: { matchLabels: { app: "w" } }, namespaces: ["default"] },
      ],
    };
    const nodes = [at("n1", 100), at("t1", 10, { labels: { "kubernetes.io/hostname": "t1" } })];
    const { decision } = evaluate(cluster(nodes, [of("a", "n1", 10, apart), of("b", "n1", 10, apart)]), [cheapest()]);
    expect(brief(decision.moves).length).toBeGreaterThanOrEqual(1);
  });
});

/** Samples of half an hour up to now. */
function growing(now: number, perMinute: number) {
  const timesMs = Float64Array.from({ length: 121 }, (_, index) => NOW_MS - (120 - index) * 15_000);
  const bytes = timesMs.map((timeMs) => (now + (perMinute * (timeMs - NOW_MS)) / 60_000) * GI);
  return { series: { timesMs, bytes }, usedBytes: now * GI, sampledAtMs: NOW_MS };
}

describe("with a forecast", () => {
  const forecast = (spec: SpecInput = {}) =>
    cheapest({
      pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { model: "Linear", horizon: "10m" } },
      ...spec,
    });
  const growingNode = (name: string, now: number, perMinute: number) => ({
    ...at(name, now),
    ...growing(now, perMinute),
  });
  const calm = { ...at("t", 5), ...growing(5, 0) };
  const steady = (name: string, onNode: string, used: number, more: Partial<PodSnapshot> = {}) => ({
    ...of(name, onNode, used, { startedAtMs: NOW_MS - 2 * HOUR_MS, ...more }),
    ...growing(used, 0),
  });

  it("plans the cheapest in time, and starts them as late as is safe", () => {
    const pods = [steady("big", "n1", 50), steady("a", "n1", 6), steady("b", "n1", 6)];
    const { decision } = evaluate(cluster([growingNode("n1", 85, 2), calm], pods), [forecast()]);
    expect(brief(decision.moves).toSorted()).toEqual(["a→t", "b→t"]);
    expect(decision.outcome).toBe("Waiting");
    for (const { startAtMs } of decision.moves) expect(startAtMs).toBeGreaterThan(NOW_MS);
  });

  it("leaves alone a pod that will have ended before the deadline, however cheap", () => {
    const ends = { startedAtMs: NOW_MS - 60 * 60_000, expectedRuntimeSeconds: 3600 + 240 };
    const pods = [steady("ends", "n1", 12, { ...ends, ...weighs("0.1") }), steady("stays", "n1", 12)];
    const { decision } = evaluate(cluster([growingNode("n1", 85, 2), calm], pods), [
      forecast({ eligibility: { skipBelowRemaining: "0s", skipAboveProgress: "100%" } }),
    ]);
    expect(brief(decision.moves)).toEqual(["stays→t"]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "ends", reason: "EndsBeforeDeadline" }));
  });

  it("prefers what ends in time to what is cheaper", () => {
    const [slow, dear] = [steady("slow", "n1", 60, weighs("0.01")), steady("dear", "n1", 14, weighs("50"))];
    const pods = [slow, dear, steady("a", "n1", 8), steady("b", "n1", 8)];
    const { decision } = evaluate(cluster([growingNode("n1", 90, 1.5), calm], pods), [forecast()]);
    expect(brief(decision.moves).toSorted()).toEqual(["a→t", "b→t"]);
  });

  it("keeps the room for the node that must be relieved first", () => {
    const little = { ...at("t", 75), ...growing(75, 0) };
    const nodes = [growingNode("late", 85, 1.5), growingNode("soon", 92, 2), little];
    const pods = [steady("x", "late", 14), steady("y", "soon", 14)];
    const margin = { placement: { strategy: "MostFree" as const, margin: "0%" } };
    const { decision } = evaluate(cluster(nodes, pods), [forecast(margin)]);
    expect(brief(decision.moves)).toEqual(["y→t"]);
  });
});

describe("pacing.maxMovesPerHour", () => {
  it("bounds the plan: the greatest relief within it, and the other nodes wait for moves, not for room", () => {
    const nodes = [at("n1", 100), at("n2", 90), at("t", 0)];
    const pods = [of("a", "n1", 15), of("b", "n1", 15), of("big", "n1", 30), of("c", "n2", 12)];
    const hourly = { pacing: { strategy: "Blocking" as const, maxMovesPerEvaluation: 10, maxMovesPerHour: 1 } };
    const { decision } = evaluate(cluster(nodes, pods), [cheapest(hourly)]);
    expect(brief(decision.moves)).toEqual(["big→t"]);
    expect(decision.nodes.find(({ name }) => name === "n2")).toMatchObject({ outcome: "Waiting" });
  });
});

describe("what is told", () => {
  it("the move tells its cost, and a pod left alone why and what its own would have been", () => {
    const decision = oneShort([of("w", "z2", 20), of("dear", "z2", 20, weighs("5"))]);
    expect(decision.moves[0]?.message).toMatch(/; it costs 72\.0s \(72\.0s freeze \+ 0\.0s risk\)$/);
    expect(messageOf(decision, "dear")).toBe(
      "cheaper ones suffice; its move would cost 360s (72.0s freeze × weight 5 + 0.0s risk)",
    );
  });

  it("what pacing leaves for later is told as such, and moves in the next evaluations", () => {
    const snapshot = cluster([at("z2", 100), at("z1", 10)], [of("a", "z2", 12), of("b", "z2", 8), of("big", "z2", 70)]);
    const slowly = cheapest({ pacing: { strategy: "Blocking", maxMovesPerEvaluation: 1 } });
    const { decision } = evaluate(snapshot, [slowly]);
    expect(brief(decision.moves)).toEqual(["a→z1"]);
    expect(messageOf(decision, "b")).toBe("it is to move too, but not yet");
  });

  it("nodes are full when no pod has a place, and when the room goes to others", () => {
    const full = evaluate(cluster([at("z2", 100), at("z1", 75)], [of("w", "z2", 20)]), [cheapest()]).decision;
    expect(full).toMatchObject({ outcome: "NodesFull", moves: [] });
    const nodes = [at("n1", 100), at("n2", 95), at("t", 60)];
    const contended = evaluate(cluster(nodes, [of("a", "n1", 20), of("b", "n2", 15)]), [cheapest()]).decision;
    expect(brief(contended.moves)).toEqual(["a→t"]);
    expect(contended.nodes.find(({ name }) => name === "n2")).toMatchObject({ outcome: "NodesFull" });
    expect(contended.refusals).toContainEqual(expect.objectContaining({ pod: "b", reason: "NoTarget" }));
  });

  it("brings what relief it can when the node cannot be relieved", () => {
    const decision = evaluate(cluster([at("z2", 100), at("z1", 68)], [of("w", "z2", 12), of("q", "z2", 7)]), [
      cheapest(),
    ]).decision;
    expect(brief(decision.moves)).toEqual(["w→z1"]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "q", reason: "NoTarget" }));
  });
});
