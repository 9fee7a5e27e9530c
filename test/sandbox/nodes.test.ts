import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { arrayAt, type JsonObject, numberAt, objectAt, stringAt, valueAt } from "../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { SimulatedCluster } from "../../src/sandbox/nodes/cluster.ts";
import { MEMORY_ANNOTATION, memoryCurve, RUNS_FOR_ANNOTATION } from "../../src/sandbox/nodes/memory-curve.ts";
import { ManualClock } from "./manual-clock.ts";

const GI = 2 ** 30;

let clock: ManualClock;
let server: SandboxApiServer;
let cluster: SimulatedCluster;

beforeEach(async () => {
  clock = new ManualClock();
  server = await SandboxApiServer.start({ clock });
  cluster = new SimulatedCluster({
    server,
    clock,
    nodes: [
      { name: "n1", capacityBytes: 4 * GI, labels: { disk: "ssd" } },
      { name: "n2", capacityBytes: 4 * GI },
    ],
  });
});

afterEach(async () => {
  cluster.stop();
  await server.close();
});

const template = (annotations: Record<string, string> = {}, spec: JsonObject = {}): JsonObject => ({
  metadata: { labels: { app: "w" }, annotations },
  spec: { containers: [{ name: "main", image: "w:1" }], ...spec },
});

function pod(name: string, annotations: Record<string, string> = {}, spec: JsonObject = {}): void {
  const { metadata, spec: podSpec } = template(annotations, spec);
  server.apply({ apiVersion: "v1", kind: "Pod", metadata: { ...objectAt(metadata), name }, spec: podSpec ?? {} });
}

const unlabelled: JsonObject = {
  apiVersion: "v1",
  kind: "Pod",
  spec: { containers: [{ name: "main", image: "w:1" }] },
};

const stored = (name: string) => server.store.get("pods", "default", name);
const pods = () => server.store.list("pods", "default");
const nodeOf = (name: string) => stringAt(stored(name), "spec", "nodeName");
const phaseOf = (name: string) => stringAt(stored(name), "status", "phase");
const patchPod = (name: string, change: (object: JsonObject) => JsonObject) => {
  const type = server.types.find("", "v1", "pods");
  if (type) server.registry.patch({ type, namespace: "default", name }, change);
};

describe("a memory curve", () => {
  it.each([
    [0, 100],
    [5_000, 150],
    [10_000, 200],
    [60_000, 200],
  ])("is %i ms → %i k", (workMs, k) => expect(memoryCurve("0s=100k, 10s=200k")(workMs)).toBe(k * 1000));

  it("that cannot be read is refused with its text", () => {
    expect(() => memoryCurve("0s:1Gi")).toThrow("not a point: 0s:1Gi");
  });
});

describe("the scheduler", () => {
  it("leaves a gated pod alone until the gate is gone", async () => {
    pod("gated", {}, { schedulingGates: [{ name: "headroom.dev/registering" }] });
    await clock.pass(1_000);
    expect(nodeOf("gated")).toBeUndefined();
    patchPod("gated", (object) => ({ ...object, spec: { ...objectAt(object, "spec"), schedulingGates: [] } }));
    await clock.pass(1_000);
    expect(nodeOf("gated")).toBeDefined();
  });

  it("obeys node selectors, required affinity by name and taints", async () => {
    const byName = { matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] };
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [byName] } };
    pod("ssd", {}, { nodeSelector: { disk: "ssd" } });
    pod("pinned", {}, { affinity: { nodeAffinity } });
    const taints = [{ key: "headroom.dev/filling-up", value: "p", effect: "NoSchedule" }];
    const type = server.types.find("", "v1", "nodes");
    if (type)
      server.registry.patch({ type, namespace: undefined, name: "n2" }, (node) => ({ ...node, spec: { taints } }));
    await clock.pass(1_000);
    expect([nodeOf("ssd"), nodeOf("pinned")]).toEqual(["n1", undefined]);
    expect(JSON.stringify(stored("pinned")?.status)).toContain("untolerated taint");
  });

  it("puts no more requests on a node than it has memory", async () => {
    const resources = { requests: { memory: "3Gi" } };
    for (const name of ["a", "b", "c"]) pod(name, {}, { containers: [{ name: "main", image: "w:1", resources }] });
    await clock.pass(1_000);
    expect([nodeOf("a"), nodeOf("b"), nodeOf("c")].filter(Boolean).sort()).toEqual(["n1", "n2"]);
  });
});

describe("the kubelet", () => {
  it("runs a pod and reports its container, its digest and its readiness", async () => {
    pod("w");
    await clock.pass(1_000);
    const [status] = arrayAt(stored("w"), "status", "containerStatuses");
    expect(phaseOf("w")).toBe("Running");
    expect(stringAt(status, "containerID")).toMatch(/^containerd:\/\/[0-9a-f]{64}$/);
    expect(stringAt(status, "imageID")).toMatch(/^w@sha256:[0-9a-f]{64}$/);
    expect(valueAt(status, "ready")).toBe(true);
  });

  it("finds a pod ready only after its probe's initial delay", async () => {
    const readinessProbe = { tcpSocket: { port: 1 }, initialDelaySeconds: 10 };
    pod("w", {}, { containers: [{ name: "main", image: "w:1", readinessProbe }] });
    await clock.pass(5_000);
    expect(valueAt(arrayAt(stored("w"), "status", "containerStatuses")[0], "ready")).toBe(false);
    await clock.pass(6_000);
    expect(valueAt(arrayAt(stored("w"), "status", "containerStatuses")[0], "ready")).toBe(true);
  });

  it("finds a pod with a readiness gate ready only once the gate's condition is set, which it keeps", async () => {
    const conditions = () => arrayAt(stored("w"), "status", "conditions");
    const ready = () => conditions().find((condition) => stringAt(condition, "type") === "Ready");
    const opened = { type: "example.test/open", status: "True" };
    pod("w", {}, { readinessGates: [{ conditionType: opened.type }] });
    await clock.pass(1_000);
    expect(stringAt(ready(), "status")).toBe("False");
    const type = server.types.find("", "v1", "pods");
    const open = (object: JsonObject) => ({
      ...object,
      status: { ...objectAt(object, "status"), conditions: [...arrayAt(object, "status", "conditions"), opened] },
    });
    if (type) server.registry.patch({ type, namespace: "default", name: "w" }, open, { subresource: "status" });
    await clock.pass(1_000);
    expect(stringAt(ready(), "status")).toBe("True");
    expect(conditions()).toContainEqual(opened);
  });

  it("reports the memory of node and pods in its Summary API", async () => {
    pod("w", { [MEMORY_ANNOTATION]: "0s=1Gi" });
    await clock.pass(1_000);
    const response = await fetch(`${server.url}/api/v1/nodes/${nodeOf("w")}/proxy/stats/summary`);
    const answer = JSON.parse(await response.text());
    expect(answer.node.memory).toMatchObject({ workingSetBytes: GI, availableBytes: 3 * GI });
    expect(answer.pods).toMatchObject([{ podRef: { name: "w" }, containers: [{ memory: { workingSetBytes: GI } }] }]);
  });

  it("ends a deleted pod within its grace, a frozen one only at the end of it", async () => {
    pod("runs");
    pod("frozen");
    await clock.pass(1_000);
    cluster.witness
      .running()
      .find((process) => process.pod === "default/frozen")
      ?.freeze();
    for (const name of ["runs", "frozen"])
      await fetch(`${server.url}/api/v1/namespaces/default/pods/${name}`, { method: "DELETE" });
    await clock.pass(1_000);
    expect([stored("runs"), stored("frozen")?.metadata.name]).toEqual([undefined, "frozen"]);
    await clock.pass(30_000);
    expect(stored("frozen")).toBeUndefined();
  });

  it("sees a process through to its end", async () => {
    pod("w", { [RUNS_FOR_ANNOTATION]: "5s" }, { restartPolicy: "Never" });
    await clock.pass(7_000);
    expect(phaseOf("w")).toBe("Succeeded");
    expect(cluster.witness.losses).toEqual([]);
  });
});

describe("a node out of memory", () => {
  it("kills what uses most, and the pod starts again from zero", async () => {
    pod("small", { [MEMORY_ANNOTATION]: "0s=1Gi" }, { nodeSelector: { disk: "ssd" } });
    pod("grows", { [MEMORY_ANNOTATION]: "0s=1Gi, 30s=4Gi" }, { nodeSelector: { disk: "ssd" } });
    await clock.pass(25_000);
    expect(cluster.oomKills).toMatchObject([{ node: "n1", pod: "default/grows" }]);
    expect(cluster.oomKills[0]?.workMs).toBeGreaterThan(19_000);
    expect(numberAt(arrayAt(stored("grows"), "status", "containerStatuses")[0], "restartCount")).toBe(1);
    expect(cluster.witness.running().find(({ pod: name }) => name === "default/grows")?.workMs).toBeLessThan(6_000);
    expect(cluster.witness.losses).toHaveLength(1);
  });
});

describe("a ReplicaSet", () => {
  const replicaSet = () => {
    const selector = { matchLabels: { app: "w" } };
    server.apply({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "rs" },
      spec: { replicas: 1, selector, template: template() },
    });
  };

  it("replaces a deleted pod at once", async () => {
    replicaSet();
    await clock.pass(1_000);
    const [first] = pods();
    await fetch(`${server.url}/api/v1/namespaces/default/pods/${first?.metadata.name}`, { method: "DELETE" });
    await clock.pass(100);
    expect(pods().filter((p) => !p.metadata.deletionTimestamp)).toHaveLength(1);
    expect(pods().find((p) => !p.metadata.deletionTimestamp)?.metadata.uid).not.toBe(first?.metadata.uid);
  });

  it("adopts a pod of its labels, and then removes the cheaper one of two", async () => {
    replicaSet();
    await clock.pass(1_000);
    const [first] = pods();
    const cheap = { "controller.kubernetes.io/pod-deletion-cost": "-2147483648" };
    patchPod(first?.metadata.name ?? "", (object) => ({
      ...object,
      metadata: { ...objectAt(object, "metadata"), annotations: cheap },
    }));
    server.apply({ ...unlabelled, metadata: { name: "copy" } });
    await clock.pass(1_000);
    patchPod("copy", (object) => ({ ...object, metadata: { ...objectAt(object, "metadata"), labels: { app: "w" } } }));
    await clock.pass(5_000);
    expect(pods().map((p) => p.metadata.name)).toEqual(["copy"]);
    expect(stored("copy")?.metadata.ownerReferences).toMatchObject([{ kind: "ReplicaSet", controller: true }]);
  });

  it("leaves a pod of its labels to the controller that owns it", async () => {
    replicaSet();
    await clock.pass(1_000);
    const namespace = server.store.get("namespaces", undefined, "default");
    const owner = { apiVersion: "v1", kind: "Namespace", name: "default", uid: namespace?.metadata.uid ?? "" };
    const ownerReferences = [{ ...owner, controller: true }];
    server.apply({ ...unlabelled, metadata: { name: "copy", labels: { app: "w" }, ownerReferences } });
    await clock.pass(5_000);
    expect(pods().filter((p) => !p.metadata.deletionTimestamp)).toHaveLength(2);
    expect(stored("copy")?.metadata.ownerReferences).toMatchObject([{ kind: "Namespace" }]);
  });

  it("is made by a Deployment, and goes with it", async () => {
    const selector = { matchLabels: { app: "w" } };
    server.apply({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d" },
      spec: { selector, template: template() },
    });
    await clock.pass(2_000);
    expect(pods()).toHaveLength(1);
    await fetch(`${server.url}/apis/apps/v1/namespaces/default/deployments/d`, { method: "DELETE" });
    await clock.pass(2_000);
    expect([...pods(), ...server.store.list("replicasets.apps")]).toEqual([]);
  });
});

describe("a Job", () => {
  const job = (annotations: Record<string, string>) => {
    const spec = { backoffLimit: 0, template: template(annotations, { restartPolicy: "Never" }) };
    server.apply({ apiVersion: "batch/v1", kind: "Job", metadata: { name: "j" }, spec });
  };
  const status = () => objectAt(server.store.get("jobs.batch", "default", "j"), "status");

  it("is complete when its pod succeeded", async () => {
    job({ [RUNS_FOR_ANNOTATION]: "3s" });
    await clock.pass(10_000);
    expect(status()).toMatchObject({ succeeded: 1, failed: 0, conditions: [{ type: "Complete" }] });
  });

  it("counts a pod that is deleted while it owns it as failed", async () => {
    job({});
    await clock.pass(5_000);
    await fetch(`${server.url}/api/v1/namespaces/default/pods/${pods()[0]?.metadata.name}`, { method: "DELETE" });
    await clock.pass(5_000);
    expect(status()).toMatchObject({ failed: 1, conditions: [{ type: "Failed", reason: "BackoffLimitExceeded" }] });
  });
});
