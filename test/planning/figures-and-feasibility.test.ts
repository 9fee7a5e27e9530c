import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { ClusterSnapshot, NodeSnapshot, PodSnapshot } from "../../src/planning/snapshot.ts";
import { brief, cluster, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

/** z2 has 10 free of 100 and must free 10; z1 is big and empty. */
function pressed(more: { source?: Partial<NodeSnapshot>; target?: Partial<NodeSnapshot>; pod?: Partial<PodSnapshot> }) {
  const nodes = [
    node("z2", { usedBytes: 90, ...more.source }),
    node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0, sampledAtMs: NOW_MS, ...more.target }),
  ];
  return { timeMs: NOW_MS, nodes, pods: [pod("w", "z2", 60, more.pod)], moves: [] } satisfies ClusterSnapshot;
}
const decide = (snapshot: ClusterSnapshot, spec: SpecInput = {}) => evaluate(snapshot, [policy(spec)]).decision;
const MINUTES_AGO = NOW_MS - 5 * 60_000;

it("a node that is short is relieved, to begin with", () => {
  expect(brief(decide(pressed({})).moves)).toEqual(["w→z1"]);
});

describe("nothing is moved because of a source node's figure that is", () => {
  it.each([
    ["stale", { sampledAtMs: MINUTES_AGO }, "MetricsStale"],
    ["of unknown age", { sampledAtMs: undefined }, "MetricsStale"],
    ["negative", { usedBytes: -1 }, "MetricsImplausible"],
    ["not a number", { usedBytes: Number.NaN }, "MetricsImplausible"],
    ["absurd", { usedBytes: 1e9 }, "MetricsImplausible"],
    ["from the future", { sampledAtMs: NOW_MS + 60_000 }, "MetricsImplausible"],
    ["older than one that was rejected", { suspect: true }, "MetricsImplausible"],
    ["without a capacity to compare", { capacityBytes: 0 }, "MetricsImplausible"],
  ])("%s", (_, source, reason) => {
    const decision = decide(pressed({ source }));
    expect(decision.moves).toEqual([]);
    expect(decision.outcome).toBe("NothingToDo");
    expect(decision.nodes.find(({ name }) => name === "z2")).toMatchObject({ reason, pressureBytes: 0 });
  });

  it("missing, where a metrics source was asked", () => {
    const snapshot = { ...pressed({}), sources: { InfluxDB: { nodes: new Map(), pods: new Map() } } };
    expect(decide(snapshot).nodes.map(({ reason }) => reason)).toEqual(["MetricsMissing", "MetricsMissing"]);
  });
});

describe("a pod stays when", () => {
  it.each<[string, Partial<PodSnapshot>, string]>([
    ["its figure is missing", { usedBytes: undefined, sampledAtMs: undefined }, "MetricsMissing"],
    ["its figure is stale", { sampledAtMs: MINUTES_AGO }, "MetricsStale"],
    ["it opted out", { annotations: { "headroom.dev/move": "false" } }, "OptedOut"],
    ["it is in kube-system", { namespace: "kube-system" }, "ProtectedNamespace"],
    ["a DaemonSet owns it", { ownerKind: "DaemonSet" }, "DaemonSet"],
    ["it has not started", { phase: "Pending" }, "PodNotRunning"],
    ["preflight would refuse it", { obstacle: { reason: "HostPath", message: "it has one" } }, "HostPath"],
    ["it is 96% done", { startedAtMs: NOW_MS - 96_000_000, expectedRuntimeSeconds: 100_000 }, "AlmostDone"],
    ["it has 179 s left", { startedAtMs: NOW_MS - 821_000, expectedRuntimeSeconds: 1000 }, "AlmostDone"],
  ])("%s", (_, more, reason) => {
    const decision = decide(pressed({ pod: more }));
    expect(decision.moves).toEqual([]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "w", reason }));
    expect(decision.nodes[0]).toMatchObject({ outcome: "NothingToDo", reason: "NothingEligible" });
  });

  it.each<[string, { source?: Partial<NodeSnapshot>; target?: Partial<NodeSnapshot> }, string]>([
    ["its node's agent is not ready", { source: { agentReady: false } }, "AgentNotReady"],
    ["its node failed its self-test for such containers", { source: { failedKinds: ["user"] } }, "SelfTestFailed"],
    ["its target failed its self-test for such containers", { target: { failedKinds: ["user"] } }, "SelfTestFailed"],
    ["its target has no handler", { target: { handlerMissing: "no containerd runs" } }, "HandlerNotInstalled"],
  ])("%s", (_, nodes, reason) => {
    const decision = decide(pressed({ ...nodes, pod: { kinds: ["user", "seccomp"] } }));
    expect(decision.moves).toEqual([]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ reason }));
    const others = decide(pressed({ source: { failedKinds: ["apparmor"] }, pod: { kinds: ["user", "seccomp"] } }));
    expect(others.outcome).toBe("Moves");
  });

  it("it uses less than minMemory", () => {
    const decision = decide(pressed({}), { eligibility: { minMemory: "1Ki" } });
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "w", reason: "BelowMinMemory" }));
  });

  it("but moves when its runtime is not known, or half over", () => {
    expect(decide(pressed({ pod: { startedAtMs: 0 } })).outcome).toBe("Moves");
    const half = { startedAtMs: NOW_MS - 500_000, expectedRuntimeSeconds: 1000 };
    expect(decide(pressed({ pod: half })).outcome).toBe("Moves");
  });
});

describe("after moves that did not succeed", () => {
  const failed = (count: number, secondsAgo: number) =>
    Array.from({ length: count }, (_, index) =>
      move({
        pod: "w",
        from: "z2",
        name: `m${index}`,
        podUID: "uid-w",
        lineage: "uid-w",
        phase: index % 2 ? "RolledBack" : "Failed",
        finishedAtMs: NOW_MS - (secondsAgo + (count - 1 - index) * 1000) * 1000,
      }),
    );
  const outcome = (moves: ReturnType<typeof failed>) => decide({ ...pressed({}), moves }).outcome;

  it.each([
    [1, 59, "NothingToDo"],
    [1, 60, "Moves"],
    [3, 239, "NothingToDo"],
    [3, 240, "Moves"],
    [30, 3599, "NothingToDo"],
    [30, 3600, "Moves"],
  ])("%d in a row, the last %d s ago: %s", (count, secondsAgo, expected) => {
    expect(outcome(failed(count, secondsAgo))).toBe(expected);
  });

  it("a success in between starts the count anew", () => {
    const moves = failed(3, 70);
    moves.splice(2, 0, {
      ...move({ pod: "w", from: "z2", name: "ok" }),
      podUID: "uid-w",
      lineage: "uid-w",
      phase: "Succeeded",
      finishedAtMs: NOW_MS - 71_000,
    });
    expect(outcome(moves)).toBe("Moves");
  });
});

describe("after moves that its program did not survive", () => {
  const HOUR = 3_600;
  const ended = (hoursAgo: number, more: object = { programFailed: true }) =>
    move({
      pod: "w-0",
      from: "z9",
      name: `m${hoursAgo}`,
      podUID: `uid-${hoursAgo}`,
      lineage: "uid-w",
      phase: "Succeeded",
      finishedAtMs: NOW_MS - hoursAgo * HOUR * 1000,
      ...more,
    });
  const IN_VAIN = { phase: "RolledBack", notCarried: true };
  const spec = { eligibility: { cooldown: "0s" } };
  const decisionAfter = (moves: ReturnType<typeof ended>[]) => decide({ ...pressed({}), moves }, spec);

  it.each([
    ["one of them, until an hour has passed", [ended(0.99)], "NothingToDo"],
    ["one of them, for an hour only", [ended(1)], "Moves"],
    ["two of them, for two hours", [ended(3), ended(1.99)], "NothingToDo"],
    ["many of them, for a day", Array.from({ length: 30 }, (_, index) => ended(23.9 + index)), "NothingToDo"],
    ["many of them, for a day at most", Array.from({ length: 30 }, (_, index) => ended(24 + index)), "Moves"],
    ["one of them, though a move has failed since", [ended(0.9), ended(0.5, { phase: "RolledBack" })], "NothingToDo"],
    ["one that met what cannot be moved, for a day", [ended(23.9, IN_VAIN)], "NothingToDo"],
    ["one that met what cannot be moved, for a day at most", [ended(24, IN_VAIN)], "Moves"],
    [
      "one that met it, though a move has failed since",
      [ended(9, IN_VAIN), ended(5, { phase: "Failed" })],
      "NothingToDo",
    ],
    ["none since one that went well", [ended(0.9), ended(0.5, {})], "Moves"],
  ])("a pod rests after %s", (_, moves, outcome) => {
    expect(decisionAfter(moves).outcome).toBe(outcome);
  });

  it("the reason says so", () => {
    expect(decisionAfter([ended(0.5)]).refusals).toContainEqual(
      expect.objectContaining({
        pod: "w",
        reason: "FailedAfterMove",
        message: "its program failed within a minute of its last move; not tried again for 1800s",
      }),
    );
  });
});

describe("a node is no target when", () => {
  const taint = { key: "dedicated", value: "db", effect: "NoSchedule" } as const;
  it.each<[string, Partial<NodeSnapshot>, string]>([
    ["it is not ready", { ready: false }, "NodeNotReady"],
    ["its agent is not ready", { agentReady: false }, "AgentNotReady"],
    ["it is cordoned", { unschedulable: true }, "Cordoned"],
    ["it is gated", { taints: [{ key: "headroom.dev/filling-up", value: "q", effect: "NoSchedule" }] }, "Gated"],
    ["its figure is stale", { sampledAtMs: MINUTES_AGO }, "MetricsStale"],
    ["its figure is implausible", { usedBytes: -5 }, "MetricsImplausible"],
    ["its taint is not tolerated", { taints: [taint] }, "TaintNotTolerated"],
    ["it runs as many pods as it may", { maxPods: 0 }, "TooManyPods"],
    ["too little is free", { usedBytes: 700 }, "NotEnoughRoom"],
    ["the copy is more than moves may stage there", { stagingFreeBytes: 59 }, "NoStagingRoom"],
    ["the copy would not fit beside the pod", { stagingFreeBytes: 2 ** 30 }, "NoRoomForCopy"],
  ])("%s", (_, target, reason) => {
    const decision = decide(pressed({ target }));
    expect(decision.moves).toEqual([]);
    expect(decision.outcome).toBe("NodesFull");
    expect(decision.refusals).toContainEqual(expect.objectContaining({ node: "z1", reason }));
  });

  it("the pod requests more than is left, or selects other nodes", () => {
    expect(decide(pressed({ pod: { requestBytes: 1001 } })).refusals).toContainEqual(
      expect.objectContaining({ node: "z1", reason: "RequestsDoNotFit" }),
    );
    expect(decide(pressed({ pod: { nodeSelector: { disk: "ssd" } } })).refusals).toContainEqual(
      expect.objectContaining({ node: "z1", reason: "NodeSelectorMismatch" }),
    );
  });

  it.each([
    [{ key: "dedicated", operator: "Equal", value: "db" } as const],
    [{ key: "dedicated", operator: "Exists", effect: "NoSchedule" } as const],
    [{ operator: "Exists" } as const],
  ])("but it is one when the pod tolerates its taint: %j", (toleration) => {
    expect(decide(pressed({ target: { taints: [taint] }, pod: { tolerations: [toleration] } })).outcome).toBe("Moves");
  });
});

describe("reservations", () => {
  const spec = { pacing: { blocking: { pause: "0s" } } };

  it("a move that ended after the target was measured still takes its room", () => {
    const done = { pod: "x", from: "z9", to: "z1", memoryBytes: 700, phase: "Succeeded" } as const;
    const snapshot = pressed({});
    const recent = { ...snapshot, moves: [move({ ...done, finishedAtMs: NOW_MS - 1000 })] };
    const seen = { ...snapshot, moves: [move({ ...done, finishedAtMs: NOW_MS - 60_000 })] };
    expect(decide(recent, spec).outcome).toBe("NodesFull");
    expect(decide(seen, spec).outcome).toBe("Moves");
  });

  it("a node that a recent move relieves is not relieved twice", () => {
    const gone = move({
      pod: "x",
      from: "z2",
      to: "z1",
      memoryBytes: 20,
      phase: "Succeeded",
      finishedAtMs: NOW_MS - 1000,
    });
    const decision = decide({ ...pressed({}), moves: [gone] }, spec);
    expect(decision.nodes[0]).toMatchObject({ name: "z2", outcome: "Waiting", reason: "ReliefUnderWay" });
  });

  it("two moves of one evaluation do not share the same room", () => {
    // 50 are asked for: a and b would each fit on z1, but not both.
    const snapshot = cluster({ z2: { a: 25, b: 25, c: 40 }, z1: {} });
    const decision = decide(snapshot, {
      pressure: { freeBelow: "60%" },
      selection: { strategy: "Optimal" },
      placement: { margin: "0%" },
      pacing: { maxMovesPerEvaluation: 9 },
    });
    expect(brief(decision.moves)).toEqual(["a→z1"]);
  });
});

describe("several policies", () => {
  it("a pod belongs to the first by name that selects it, and the other is told", () => {
    const decision = evaluate(pressed({}), [policy({}, "b"), policy({}, "a")]).decision;
    expect(decision.moves.map((one) => one.policy)).toEqual(["a"]);
    expect(
      decision.policies.map(({ policy, overlapping, overlappingWith }) => [policy, overlapping, overlappingWith]),
    ).toEqual([
      ["a", 0, []],
      ["b", 1, ["a"]],
    ]);
  });

  it("one that only looks takes nothing from one that enforces", () => {
    const decision = evaluate(pressed({}), [policy({ mode: "DryRun" }, "a"), policy({}, "b")]).decision;
    expect(decision.moves.map((one) => one.policy)).toEqual(["b"]);
  });

  it("with Blocking the second waits while the first starts a move", () => {
    const snapshot = cluster({ z2: { a: 85 }, z3: { b: 85 } });
    snapshot.nodes.push(node("z1", { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 0, sampledAtMs: NOW_MS }));
    for (const one of snapshot.pods) one.labels = { app: one.name };
    const of = (name: string) => policy({ podSelector: { matchLabels: { app: name } } }, name);
    const { decision } = evaluate(snapshot, [of("a"), of("b")]);
    expect(brief(decision.moves)).toEqual(["a→z1"]);
    expect(decision.policies.map(({ outcome }) => outcome)).toEqual(["Moves", "Waiting"]);
  });

  it("one that is not due plans nothing, and keeps its pods", () => {
    const { decision } = evaluate(pressed({}), [policy({}, "a"), policy({}, "b")], {
      isDue: ({ name }) => name === "b",
    });
    expect(decision.moves).toEqual([]);
  });

  it("each reads the figures of its own metrics source", () => {
    const snapshot = pressed({});
    const figures = (used: number) => ({
      nodes: new Map(
        snapshot.nodes.map((one) => [one.name, { usedBytes: one.name === "z2" ? used : 0, sampledAtMs: NOW_MS }]),
      ),
      pods: new Map([["uid-w", { usedBytes: 60, sampledAtMs: NOW_MS }]]),
    });
    const sources = { InfluxDB: figures(10), KubeletSummary: figures(90) };
    const outcome = (source: "InfluxDB" | "KubeletSummary") =>
      decide({ ...snapshot, sources }, { metrics: { source } }).outcome;
    expect([outcome("InfluxDB"), outcome("KubeletSummary")]).toEqual(["NothingToDo", "Moves"]);
  });
});

describe("the scheduling gate", () => {
  const spec = { schedulingGate: {}, pressure: { freeBelow: "1%" } };
  const used = (percent: number, more: Partial<ClusterSnapshot> = {}) =>
    evaluate({ timeMs: NOW_MS, nodes: [node("z", { usedBytes: percent })], pods: [], moves: [], ...more }, [
      policy(spec),
    ]);

  it("closes above its threshold and remembers it", () => {
    const first = used(85);
    expect(first.decision.gates).toMatchObject([{ node: "z", policy: "p", closed: true }]);
    expect(used(70, { memory: first.memory }).decision.gates).toMatchObject([{ closed: true }]);
    expect(used(64, { memory: first.memory }).decision.gates).toMatchObject([{ closed: false }]);
  });

  it("stays as it was while the figure cannot be relied on", () => {
    const stale = node("z", { usedBytes: 10, sampledAtMs: MINUTES_AGO });
    const memory = { version: 1 as const, gates: { z: "p" } };
    expect(used(0, { nodes: [stale], memory }).decision.gates).toMatchObject([{ closed: true }]);
    expect(used(0, { nodes: [stale] }).decision.gates).toEqual([]);
  });

  it("is read off the taint when the memory is lost", () => {
    const taints = [{ key: "headroom.dev/filling-up", value: "p", effect: "NoSchedule" as const }];
    expect(used(0, { nodes: [node("z", { usedBytes: 70, taints })] }).decision.gates).toMatchObject([{ closed: true }]);
  });
});
