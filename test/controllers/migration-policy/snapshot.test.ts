import { describe, expect, it } from "vitest";
import type { PodMigration } from "../../../src/api/v1alpha1/pod-migration.ts";
import { surplusHistory } from "../../../src/controllers/migration-policy/prune-history.ts";
import { moveSnapshot, moveSnapshots } from "../../../src/controllers/migration-policy/snapshot-moves.ts";
import { nodeSnapshot, readyAgents } from "../../../src/controllers/migration-policy/snapshot-nodes.ts";
import { podSnapshot } from "../../../src/controllers/migration-policy/snapshot-pods.ts";
import { taintChanges } from "../../../src/controllers/scheduling-gate/taints.ts";
import type { Node, Pod } from "../../../src/kube/resources.ts";

const MIB = 2 ** 20;
const context = { ownNamespace: "headroom-system", namespaceLabels: { team: "a" }, migrations: 2 };

type Container = Partial<Pod["spec"]["containers"][number]>;

function podWith(spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", uid: "u1", ...metadata },
    spec: { nodeName: "n1", containers: [{ name: "main", image: "x" }], ...spec },
    status: { phase: "Running", startTime: "2026-01-01T00:00:00Z" },
  };
}

const asking = (memory: string, more: Container = {}) => ({
  name: "c",
  image: "x",
  resources: { requests: { memory } },
  ...more,
});

describe("a pod of the API", () => {
  it("that runs nowhere is not in the snapshot", () => {
    const { nodeName: _, ...spec } = podWith().spec;
    expect(podSnapshot({ ...podWith(), spec }, context)).toBeUndefined();
  });

  it("has its lineage's UID, else its own", () => {
    expect(podSnapshot(podWith(), context)).toMatchObject({
      lineage: "u1",
      migrations: 2,
      namespaceLabels: { team: "a" },
    });
    const moved = podWith({}, { labels: { "headroom.dev/lineage": "u0" } });
    expect(podSnapshot(moved, context)?.lineage).toBe("u0");
  });

  it("that is the copy of a move under way has none of its source's labels: it would be counted twice", () => {
    const own = { "headroom.dev/move-uid": "m", "headroom.dev/lineage": "u0" };
    expect(podSnapshot(podWith({}, { labels: { app: "w", ...own } }), context)?.labels).toEqual(own);
    expect(podSnapshot(podWith({}, { labels: { app: "w" } }), context)?.labels).toEqual({ app: "w" });
  });

  it.each<[string, Partial<Pod["spec"]>, number]>([
    ["the sum of its containers", { containers: [asking("100Mi"), asking("50Mi")] }, 150],
    [
      "a limit where there is no request",
      { containers: [{ name: "c", image: "x", resources: { limits: { memory: "70Mi" } } }] },
      70,
    ],
    ["a bigger init container", { containers: [asking("10Mi")], initContainers: [asking("90Mi")] }, 90],
    [
      "sidecars beside it",
      { containers: [asking("10Mi")], initContainers: [asking("5Mi", { restartPolicy: "Always" })] },
      15,
    ],
    ["the overhead of its runtime", { containers: [asking("10Mi")], overhead: { memory: "2Mi" } }, 12],
    ["nothing", {}, 0],
  ])("requests %s", (_, spec, mebibytes) => {
    expect(podSnapshot(podWith(spec), context)?.requestBytes).toBe(mebibytes * MIB);
  });

  it.each([
    ["the annotation", { "headroom.dev/expected-runtime": "1h30m" }, 60, 5400],
    ["activeDeadlineSeconds", {}, 60, 60],
    ["the deadline, where the annotation cannot be read", { "headroom.dev/expected-runtime": "soon" }, 60, 60],
  ])("takes its expected runtime from %s", (_, annotations, activeDeadlineSeconds, expected) => {
    const found = podSnapshot(podWith({ activeDeadlineSeconds }, { annotations }), context);
    expect(found?.expectedRuntimeSeconds).toBe(expected);
  });

  it("that was moved has run since its lineage started, and its deadline counts from its own start", () => {
    const restored = (annotations: Record<string, string>): Pod => ({
      ...podWith({ activeDeadlineSeconds: 60 }, { annotations }),
      status: { phase: "Running", startTime: "2026-01-01T01:00:00Z" },
    });
    const first = { "headroom.dev/started-at": "2026-01-01T00:00:00Z" };
    expect(podSnapshot(restored(first), context)).toMatchObject({
      startedAtMs: Date.parse("2026-01-01T00:00:00Z"),
      expectedRuntimeSeconds: 3660,
    });
    const annotated = { ...first, "headroom.dev/expected-runtime": "2h" };
    expect(podSnapshot(restored(annotated), context)?.expectedRuntimeSeconds).toBe(7200);
    for (const own of [{}, { "headroom.dev/started-at": "2026-01-01T02:00:00Z" }, { "headroom.dev/started-at": "x" }]) {
      expect(podSnapshot(restored(own), context)).toMatchObject({
        startedAtMs: Date.parse("2026-01-01T01:00:00Z"),
        expectedRuntimeSeconds: 60,
      });
    }
  });

  it("tolerates nothing by operators that not every scheduler has", () => {
    const tolerations = [
      { key: "a", operator: "Gt", value: "3" },
      { key: "b", operator: "Exists" },
      { key: "c", value: "d", effect: "NoSchedule" },
    ];
    expect(podSnapshot(podWith({ tolerations }), context)?.tolerations).toEqual([
      { key: "b", operator: "Exists" },
      { key: "c", operator: "Equal", value: "d", effect: "NoSchedule" },
    ]);
  });

  it("requires the nodes that its spec requires, but not the one that a move pinned it to", () => {
    const own = { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] };
    const pin = { matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] };
    const requiring = (...nodeSelectorTerms: object[]) => ({
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    });
    const moved = { labels: { "headroom.dev/lineage": "u0" } };
    const affinityOf = (...[spec, metadata]: Parameters<typeof podWith>) =>
      podSnapshot(podWith(spec, metadata), context)?.affinity;
    expect(affinityOf(requiring(own, pin))).toEqual({ nodeTerms: [own, pin] });
    expect(affinityOf(requiring({ ...own, ...pin }), moved)).toEqual({ nodeTerms: [own] });
    expect(affinityOf(requiring(pin), moved)).toBeUndefined();
    const away = {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "h", labelSelector: {} }] },
    };
    expect(affinityOf({ affinity: { ...requiring(pin).affinity, ...away } }, moved)).toEqual({
      podAntiAffinity: [{ topologyKey: "h", labelSelector: {} }],
    });
  });

  it.each<[string, Partial<Pod["spec"]>, Record<string, string>, string[] | undefined]>([
    ["of an image that names its user itself", {}, {}, ["apparmor"]],
    ["as root", { securityContext: { runAsUser: 0 } }, {}, ["root", "apparmor"]],
    ["as another user", { securityContext: { runAsUser: 1000 } }, {}, ["user", "apparmor"]],
    ["as anybody but root", { securityContext: { runAsNonRoot: true } }, {}, ["user", "apparmor"]],
    [
      "as its container says, not as its pod does",
      {
        securityContext: { runAsUser: 0 },
        containers: [{ name: "main", image: "x", securityContext: { runAsUser: 7 } }],
      },
      {},
      ["user", "apparmor"],
    ],
    ["under seccomp", { securityContext: { seccompProfile: { type: "RuntimeDefault" } } }, {}, ["seccomp", "apparmor"]],
    ["under no seccomp", { securityContext: { seccompProfile: { type: "Unconfined" } } }, {}, ["apparmor"]],
    [
      "privileged",
      { containers: [{ name: "main", image: "x", securityContext: { privileged: true } }] },
      {},
      undefined,
    ],
    ["unconfined", { securityContext: { appArmorProfile: { type: "Unconfined" } } }, {}, undefined],
    ["unconfined, as of old", {}, { "container.apparmor.security.beta.kubernetes.io/main": "unconfined" }, undefined],
  ])("%s has the kinds of containers that a node proves", (_, spec, annotations, kinds) => {
    expect(podSnapshot(podWith(spec, { annotations }), context)?.kinds).toEqual(kinds);
  });

  it("carries what preflight would say against it", () => {
    const host = podWith({ volumes: [{ name: "v", hostPath: { path: "/" } }] });
    expect(podSnapshot(host, context)?.obstacle?.reason).toBe("HostPath");
    expect(podSnapshot(podWith({}, { namespace: "headroom-system" }), context)?.obstacle?.reason).toBe(
      "ProtectedNamespace",
    );
  });
});

describe("a node of the API", () => {
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1", labels: { zone: "a" } },
    spec: { unschedulable: true, taints: [{ key: "k", effect: "NoExecute" }] },
    status: {
      capacity: { memory: "1024Mi", pods: "20" },
      allocatable: { memory: "900Mi", pods: "10" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };

  it("has its own capacity, allocatable, taints and number of pods", () => {
    expect(nodeSnapshot(node, podWith())).toMatchObject({
      capacityBytes: 1024 * MIB,
      allocatableBytes: 900 * MIB,
      maxPods: 10,
      unschedulable: true,
      ready: true,
      agentReady: true,
      taints: [{ key: "k", effect: "NoExecute" }],
    });
  });

  it("has what its agent has said of it", () => {
    const verdicts = [
      { kind: "root" as const, ok: true, ms: 1 },
      { kind: "user" as const, ok: false, ms: 1, message: "no" },
    ];
    const said = { handlerInstalled: false, handlerMessage: "no containerd", verdicts };
    expect(nodeSnapshot(node, podWith(), said)).toMatchObject({
      handlerMissing: "no containerd",
      failedKinds: ["user"],
    });
    const inOrder = nodeSnapshot(node, podWith(), { handlerInstalled: true, handlerMessage: undefined, verdicts: [] });
    expect(inOrder).not.toHaveProperty("handlerMissing");
    expect(inOrder).not.toHaveProperty("failedKinds");
  });

  it("without a status is neither ready nor has it memory", () => {
    const { status: _, ...bare } = node;
    expect(nodeSnapshot(bare, undefined)).toMatchObject({ capacityBytes: 0, ready: false, agentReady: false });
  });

  it("has an agent when a pod of the agent's labels in Headroom's namespace is ready on it", () => {
    const labels = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
    const agent = (namespace: string, status: "True" | "False") => ({
      ...podWith({}, { namespace, labels }),
      status: { conditions: [{ type: "Ready", status, lastProbeTime: "", lastTransitionTime: "" }] },
    });
    const nodesOf = (pod: Pod) => [...readyAgents([pod], "headroom-system").keys()];
    expect(nodesOf(agent("headroom-system", "True"))).toEqual(["n1"]);
    expect(nodesOf(agent("headroom-system", "False"))).toEqual([]);
    expect(nodesOf(agent("default", "True"))).toEqual([]);
  });

  it.each([
    ["what its agent's pod says, in part", [{ name: "STAGING_BUDGET", value: "50%" }], 512],
    ["what its agent's pod says, in bytes", [{ name: "STAGING_BUDGET", value: "100Mi" }], 100],
    ["of two that say it the last", ["10%", "50%"].map((value) => ({ name: "STAGING_BUDGET", value })), 512],
    ["what an agent takes that is told nothing", [], 256],
  ])("may stage %s", (_, env, mebibytes) => {
    const agent = podWith({ containers: [{ name: "agent", image: "x", env }] });
    expect(nodeSnapshot(node, agent).stagingFreeBytes).toBe(mebibytes * MIB);
  });

  it("without an agent stages nothing that is known", () => {
    expect(nodeSnapshot(node, undefined)).not.toHaveProperty("stagingFreeBytes");
  });
});

const migration = (name: string, status?: Partial<NonNullable<PodMigration["status"]>>): PodMigration => ({
  apiVersion: "headroom.dev/v1alpha1",
  kind: "PodMigration",
  metadata: { name, namespace: "default", labels: { "headroom.dev/policy": "p" } },
  spec: { podName: "p", targetNode: "n2", timeout: "10m", tcp: "Refuse", cancel: false },
  ...(status && {
    status: { phase: "Pending", phaseTransitions: [], containers: [], timings: {}, conditions: [], ...status },
  }),
});

describe("a PodMigration", () => {
  it("that nobody has looked at yet is a move of the pod it names, from where that runs", () => {
    expect(moveSnapshot(migration("m"), podWith())).toMatchObject({
      phase: "Pending",
      podUID: "u1",
      from: "n1",
      to: "n2",
    });
  });

  it("speaks for itself once its figures are pinned", () => {
    const container = { name: "main", memoryBytes: 5, filesBytes: 3, memoryFilesBytes: 2 };
    const pinned = migration("m", {
      phase: "Frozen",
      sourcePodUID: "u9",
      sourceNode: "n9",
      targetNode: "n8",
      containers: [container, container],
    });
    expect(moveSnapshot(pinned, podWith())).toMatchObject({
      podUID: "u9",
      from: "n9",
      to: "n8",
      memoryBytes: 10,
      filesBytes: 6,
      memoryFilesBytes: 4,
    });
  });
});

it.each([
  ["ProgramFailed", true],
  ["Moved", undefined],
])("a move that succeeded with reason %s is planned with as such", (reason, programFailed) => {
  expect(moveSnapshot(migration("m", { phase: "Succeeded", reason }), podWith()).programFailed).toBe(programFailed);
});

it("dry runs are no moves to planning, whatever became of them", () => {
  const asked = migration("asked", { phase: "Failed" });
  const moves = moveSnapshots(
    [{ ...asked, spec: { ...asked.spec, dryRun: true } }, migration("m", {})],
    () => undefined,
  );
  expect(moves.map(({ name }) => name)).toEqual(["m"]);
});

it.each([
  ["NotCarried", true],
  ["DumpFailed", undefined],
])("a move that was rolled back with reason %s is planned with as such", (reason, notCarried) => {
  expect(moveSnapshot(migration("m", { phase: "RolledBack", reason }), podWith()).notCarried).toBe(notCarried);
});

describe("history", () => {
  const nowMs = Date.parse("2026-01-02T00:00:00Z");
  const ended = (name: string, phase: "Succeeded" | "Failed", minutesAgo: number) =>
    migration(name, { phase, completionTime: new Date(nowMs - minutesAgo * 60_000).toISOString() });
  const surplus = (all: PodMigration[], keep: number) =>
    surplusHistory(all, "p", keep, nowMs).map(({ metadata }) => metadata.name);

  it("loses its oldest beyond what is kept, and nothing that is under way", () => {
    const all = [
      ended("a", "Succeeded", 10),
      ended("b", "Succeeded", 30),
      migration("c", { phase: "Frozen" }),
      migration("d"),
    ];
    expect(surplus(all, 1)).toEqual(["b"]);
    expect(surplus(all, 2)).toEqual([]);
  });

  it("keeps failures for as long as they may hold their pod back", () => {
    expect(surplus([ended("a", "Failed", 59), ended("b", "Failed", 61)], 0)).toEqual(["b"]);
  });

  it("keeps moves whose program failed for the day that they may hold their pod back", () => {
    const failed = (name: string, hoursAgo: number) => {
      const move = ended(name, "Succeeded", hoursAgo * 60);
      return { ...move, ...(move.status && { status: { ...move.status, reason: "ProgramFailed" } }) };
    };
    expect(surplus([failed("a", 23.9), failed("b", 24.1)], 0)).toEqual(["b"]);
  });

  it("of other policies is none of its business", () => {
    expect(surplusHistory([ended("a", "Succeeded", 10)], "other", 0, nowMs)).toEqual([]);
  });
});

describe("taints", () => {
  const tainted = (name: string, value?: string): Node => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    spec: { taints: value === undefined ? [] : [{ key: "headroom.dev/filling-up", value, effect: "NoSchedule" }] },
  });

  it("change only where they are not as wanted", () => {
    const nodes = [
      tainted("as-wanted", "p"),
      tainted("missing"),
      tainted("too-many", "p"),
      tainted("of-another", "q"),
      tainted("none"),
    ];
    const wanted = new Map(["as-wanted", "missing", "of-another"].map((name) => [name, "p"]));
    expect(taintChanges(nodes, wanted)).toEqual([
      { node: "missing", policy: "p", was: undefined },
      { node: "too-many", policy: undefined, was: "p" },
      { node: "of-another", policy: "p", was: "q" },
    ]);
  });
});
