import { describe, expect, it } from "vitest";
import { clusterSnapshotSchema } from "../../../src/api/v1alpha1/cluster-snapshot.ts";
import { evaluate } from "../../../src/planning/evaluate.ts";
import type { ClusterSnapshot, Figure } from "../../../src/planning/snapshot.ts";
import { readSnapshot } from "../../../src/planning/written-snapshot/read-snapshot.ts";
import { writeSnapshot } from "../../../src/planning/written-snapshot/write-snapshot.ts";
import { move, NOW_MS, node, pod, policy } from "../fixtures.ts";

const GI = 2 ** 30;
const EMPTY = {
  apiVersion: "headroom.dev/v1alpha1",
  kind: "ClusterSnapshot",
  time: new Date(NOW_MS).toISOString(),
  nodes: [],
};
const TIME = new Date(NOW_MS).toISOString();
const at = (seconds: number) => new Date(NOW_MS + seconds * 1000).toISOString();
const read = (rest: object): ClusterSnapshot =>
  readSnapshot(
    clusterSnapshotSchema.parse({
      apiVersion: "headroom.dev/v1alpha1",
      kind: "ClusterSnapshot",
      time: TIME,
      nodes: [],
      ...rest,
    }),
  );
const nodeOf = (series: unknown) => read({ nodes: [{ name: "a", capacity: 100, series }] }).nodes[0];

describe("series", () => {
  it("in either form are the same samples; null is no sample", () => {
    const regular = nodeOf({ start: at(-45), step: "15s", bytes: [10, null, "20", 30] });
    const timed = nodeOf([
      { time: at(-45), bytes: 10 },
      { time: at(-15), bytes: 20 },
      { time: at(0), bytes: 30 },
    ]);
    expect(regular).toEqual(timed);
    expect(regular).toMatchObject({ usedBytes: 30, sampledAtMs: NOW_MS, suspect: false });
  });

  it.each<[string, { time: string; bytes: number }[], number[], boolean]>([
    [
      "out of order: sorted",
      [
        { time: at(0), bytes: 2 },
        { time: at(-9), bytes: 1 },
      ],
      [1, 2],
      false,
    ],
    [
      "two for one moment: the greater counts",
      [
        { time: at(0), bytes: 9 },
        { time: at(0), bytes: 3 },
      ],
      [9],
      false,
    ],
    [
      "the newest negative: suspect",
      [
        { time: at(-9), bytes: 1 },
        { time: at(0), bytes: -1 },
      ],
      [1],
      true,
    ],
    [
      "an old one negative: left out",
      [
        { time: at(-9), bytes: -1 },
        { time: at(0), bytes: 1 },
      ],
      [1],
      false,
    ],
    [
      "the newest absurd: suspect",
      [
        { time: at(-9), bytes: 1 },
        { time: at(0), bytes: 200 },
      ],
      [1],
      true,
    ],
    [
      "the newest not a number: suspect",
      [
        { time: at(-9), bytes: 1 },
        { time: at(0), bytes: Number.NaN },
      ],
      [1],
      true,
    ],
    [
      "the newest from the future: suspect",
      [
        { time: at(-9), bytes: 1 },
        { time: at(60), bytes: 1 },
      ],
      [1],
      true,
    ],
    ["none: suspect", [], [], true],
  ])("%s", (_, samples, bytes, suspect) => {
    const figure = nodeOf(samples);
    expect([...(figure?.series?.bytes ?? [])]).toEqual(bytes);
    expect(figure?.suspect).toBe(suspect);
  });

  it("without a sample that can be used leave the node unknown: the sum of its pods takes no place", () => {
    const snapshot = read({
      nodes: [{ name: "a", capacity: 100, series: [] }],
      pods: [{ namespace: "d", name: "p", node: "a", used: 95 }],
    });
    expect(evaluate(snapshot, [policy()]).decision.nodes[0]).toMatchObject({ reason: "MetricsMissing" });
  });
});

describe("what is absent", () => {
  it("is filled in: a ready node with its agent, a running pod that is its own lineage", () => {
    const snapshot = read({
      nodes: [{ name: "a", capacity: "1Ki" }],
      pods: [{ namespace: "d", name: "p", node: "a" }],
    });
    expect(snapshot.nodes[0]).toMatchObject({ capacityBytes: 1024, allocatableBytes: 1024, ready: true, maxPods: 110 });
    expect(snapshot.pods[0]).toMatchObject({ uid: "d/p", lineage: "d/p", phase: "Running", migrations: 0 });
  });

  it("is found elsewhere: moves count as a pod's migrations, annotations tell its runtime", () => {
    const snapshot = read({
      pods: [{ namespace: "d", name: "p", node: "a", annotations: { "headroom.dev/expected-runtime": "2h" } }],
      moves: [
        { namespace: "d", pod: "p", from: "b", to: "a", memory: 1, phase: "Succeeded" },
        { namespace: "d", pod: "p", from: "a", to: "b", memory: 1, phase: "Frozen" },
      ],
    });
    expect(snapshot.pods[0]).toMatchObject({ migrations: 1, expectedRuntimeSeconds: 7200 });
    expect(snapshot.moves.map(({ podUID, lineage }) => [podUID, lineage])).toEqual([
      [undefined, "d/p"],
      ["d/p", "d/p"],
    ]);
  });

  it.each<[object, string | undefined]>([
    [{}, undefined],
    [{ owner: "Job" }, undefined],
    [{ owner: { kind: "ReplicaSet", name: "r" } }, undefined],
    [{ owner: "StatefulSet" }, "StatefulSet"],
    [{ owner: "Widget/w" }, "UnsupportedOwner"],
    [{ containers: 1 }, undefined],
    [{ containers: [{ name: "a" }, { name: "b" }] }, "SeveralContainers"],
  ])("preflight's obstacles are known of %j", (more, reason) => {
    const { pods } = read({ pods: [{ namespace: "d", name: "p", node: "a", ...more }] });
    expect(pods[0]?.obstacle?.reason).toBe(reason);
  });
});

describe("scheduling rules", () => {
  const selector = { matchLabels: { app: "q" }, matchExpressions: [{ key: "t", operator: "Exists" }] };
  const term = { topologyKey: "zone", labelSelector: selector, namespaces: ["x"], namespaceSelector: {} };
  const nodeSelectorTerms = [{ matchExpressions: [{ key: "gen", operator: "Gt", values: ["3"] }] }];
  const written = {
    labels: { app: "q", rev: "7" },
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }],
      },
      podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] },
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" },
      {
        maxSkew: 2,
        topologyKey: "host",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: {},
        matchLabelKeys: ["rev", "none"],
        minDomains: 2,
        nodeTaintsPolicy: "Honor",
      },
    ],
    terminating: true,
  };
  const one = (more: object) => read({ pods: [{ namespace: "d", name: "p", node: "a", ...more }] }).pods[0];

  it("are read as in a pod's spec: what is required, not what is preferred", () => {
    const labelSelector = { matchExpressions: [{ key: "rev", operator: "In", values: ["7"] }] };
    expect(one(written)).toMatchObject({
      affinity: { nodeTerms: nodeSelectorTerms, podAntiAffinity: [term] },
      topologySpread: [{ maxSkew: 2, topologyKey: "host", labelSelector, minDomains: 2, nodeTaintsPolicy: "Honor" }],
      terminating: true,
    });
    expect(Object.keys(one(written)?.affinity ?? {})).not.toContain("podAffinity");
    expect(one({})).not.toHaveProperty("affinity");
  });

  it("are the same when written and read again", () => {
    const snapshot = read({ pods: [{ namespace: "d", name: "p", node: "a", ...written }] });
    const again = clusterSnapshotSchema.parse(JSON.parse(JSON.stringify(writeSnapshot(snapshot))));
    expect(readSnapshot(again).pods).toEqual(snapshot.pods);
  });

  it.each([
    ["an unknown operator", { key: "gen", operator: "Near", values: ["3"] }],
    ["a requirement without a key", { operator: "Exists" }],
  ])("are refused with %s, by its path", (_, requirement) => {
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [requirement] }] },
      },
    };
    const pods = [{ namespace: "d", name: "p", node: "a", affinity }];
    const parsed = clusterSnapshotSchema.safeParse({ ...EMPTY, pods });
    const path = "pods.0.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.0";
    expect(parsed.error?.issues.map((issue) => issue.path.join("."))[0]).toContain(path);
  });
});

it("what a move and its files come to is the same when written and read again", () => {
  const snapshot = {
    ...read({}),
    moves: [
      move({
        pod: "p",
        from: "a",
        to: "b",
        lineage: "l",
        memoryBytes: 3,
        filesBytes: 4,
        memoryFilesBytes: 2,
        programFailed: true,
      }),
    ],
  };
  const again = clusterSnapshotSchema.parse(JSON.parse(JSON.stringify(writeSnapshot(snapshot))));
  expect(readSnapshot(again).moves).toEqual(snapshot.moves);
});

it("a snapshot that was measured, written and read again gives the same decision", () => {
  const figure = (used: number): Figure => ({
    usedBytes: used * GI,
    sampledAtMs: NOW_MS,
    series: { timesMs: Float64Array.of(NOW_MS), bytes: Float64Array.of(used * GI) },
  });
  const succeeded = { from: "b", phase: "Succeeded", lineage: "uid-s", finishedAtMs: NOW_MS - 1_800_000 } as const;
  const memory = { capacityBytes: 100 * GI, allocatableBytes: 100 * GI, stagingFreeBytes: 75 * GI };
  const measured: ClusterSnapshot = {
    timeMs: NOW_MS,
    nodes: ["a", "b", "c", "d"].map((name) => node(name, memory)),
    pods: [
      pod("p", "a", undefined, { labels: { x: "y" }, lineage: "l" }),
      pod("q", "a", undefined, { obstacle: { reason: "HostPath", message: "it has one" } }),
      pod("r", "a", undefined),
      pod("s", "a", undefined),
    ],
    moves: [
      move({ pod: "p", from: "b", to: "a", lineage: "l", phase: "Failed", finishedAtMs: NOW_MS - 40_000 }),
      move({ ...succeeded, pod: "s", programFailed: true }),
    ],
    sources: {
      InfluxDB: {
        nodes: new Map([
          ["a", figure(95)],
          ["b", figure(10)],
          ["c", { ...figure(1), suspect: true }],
        ]),
        pods: new Map([
          ["uid-p", figure(20)],
          ["uid-q", figure(30)],
          ["uid-r", figure(40)],
          ["uid-s", figure(50)],
        ]),
      },
    },
    memory: { version: 1, gates: { d: "p" } },
  };
  const written = JSON.parse(JSON.stringify(writeSnapshot(measured, "InfluxDB")));
  const policies = [policy({ schedulingGate: {} })];
  const again = evaluate(readSnapshot(clusterSnapshotSchema.parse(written)), policies);
  expect(again).toEqual(evaluate(measured, policies));
  expect(again.decision.refusals.map(({ reason }) => reason)).toContain("FailedAfterMove");
  expect(again.decision.moves.map(({ pod: name, to }) => [name, to])).toEqual([["r", "b"]]);
});
