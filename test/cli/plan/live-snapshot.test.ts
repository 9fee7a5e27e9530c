import { describe, expect, it } from "vitest";
import { clusterPolicies, liveSnapshot, type ReadingClient } from "../../../src/cli/plan/live-snapshot.ts";
import { reportText } from "../../../src/controllers/node-reports/report.ts";
import { KubeError, type KubeObject, type ResourceKind } from "../../../src/kube/client.ts";
import type { CollectRequest, CollectResult } from "../../../src/metrics/source.ts";
import { evaluate } from "../../../src/planning/evaluate.ts";
import { FEATURES } from "../../support/moving-world/simulated-nodes.ts";

const NOW_MS = Date.parse("2026-01-01T12:00:00Z");
const ready = { conditions: [{ type: "Ready", status: "True" }] };
const node = (name: string) => ({
  metadata: { name },
  status: { capacity: { memory: "10Gi", pods: "110" }, ...ready },
});
const pod = (name: string, on: string, namespace = "default", labels = {}) => ({
  metadata: { name, namespace, uid: `uid-${name}`, labels },
  spec: { nodeName: on, containers: [{ name: "main" }] },
  status: { phase: "Running", containerStatuses: [{ name: "main", state: { running: {} } }], ...ready },
});
const agent = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };

/** Headroom's own kinds are those of `own`; undefined: they are not installed. */
function clientOf(own: unknown[] | undefined, published?: Record<string, string>): ReadingClient {
  const objects: Record<string, unknown[]> = {
    nodes: [node("a"), node("b")],
    pods: [pod("w", "a"), pod("agent-a", "a", "headroom-system", agent), pod("agent-b", "b", "headroom-system", agent)],
    namespaces: [{ metadata: { name: "default" } }],
    ...(own && { migrationpolicies: own, podmigrations: [] }),
  };
  return {
    get<T extends KubeObject>(kind: ResourceKind<T>) {
      if (kind.plural !== "configmaps") throw new Error(`${kind.plural} is not read`);
      return Promise.resolve(published && ({ metadata: {}, data: published } as unknown as T));
    },
    list<T extends KubeObject>(kind: ResourceKind<T>) {
      const items = objects[kind.plural];
      if (items === undefined) return Promise.reject(new KubeError("NotFound", "no such resource", { status: 404 }));
      // The test's objects have the fields that are read.
      return Promise.resolve({ items: items as T[], resourceVersion: "1" });
    },
  };
}

function sourcesOf(use: Record<string, number>) {
  const measured = (bytes: number | undefined) => ({
    series: { timesMs: new Float64Array(), bytes: new Float64Array() },
    usedBytes: bytes === undefined ? undefined : bytes * 2 ** 30,
    sampledAtMs: bytes === undefined ? undefined : NOW_MS,
    suspect: false,
    rejections: [],
  });
  const source = (name: "InfluxDB" | "KubeletSummary") => ({
    name,
    collect: ({ nodes, pods }: CollectRequest): Promise<CollectResult> =>
      Promise.resolve({
        ok: true,
        reading: {
          source: name,
          takenAtMs: NOW_MS,
          nodes: new Map(nodes.map((one) => [one.name, measured(use[one.name])])),
          pods: new Map(pods.map((one) => [one.uid, measured(use[one.name])])),
        },
      }),
  });
  return { InfluxDB: source("InfluxDB"), KubeletSummary: source("KubeletSummary") };
}

const policy = (spec: object) => ({ metadata: { name: "batch", generation: 1 }, spec });

describe("the live cluster", () => {
  it("is planned for under its own policies, and nothing is written", async () => {
    const client = clientOf([policy({ podSelector: {} })]);
    const policies = await clusterPolicies(client);
    // The agents are told no staging budget: b stages a quarter of its 10 GiB.
    const sources = sourcesOf({ a: 9, b: 1, w: 2 });
    const snapshot = await liveSnapshot({
      client,
      sources,
      wanted: ["InfluxDB"],
      nowMs: NOW_MS,
      namespace: "headroom-system",
    });
    const { decision } = evaluate(snapshot, policies);
    expect(decision.moves.map(({ pod: name, to }) => [name, to])).toEqual([["w", "b"]]);
  });

  it("is planned for by what the agents have said of their nodes", async () => {
    const features = { ...FEATURES, handlerInstalled: false, handlerMessage: "no containerd runs on this node" };
    const client = clientOf([], { b: reportText({ time: "2026-01-01T11:59:00Z", features }), gone: "not JSON" });
    const live = { client, sources: sourcesOf({}), wanted: [], nowMs: NOW_MS, namespace: "headroom-system" };
    const { nodes } = await liveSnapshot(live);
    expect(nodes.map(({ name, handlerMissing }) => [name, handlerMissing])).toEqual([
      ["a", undefined],
      ["b", "no containerd runs on this node"],
    ]);
  });

  it("may be without Headroom's kinds: then there are no policies and no moves", async () => {
    const client = clientOf(undefined);
    expect(await clusterPolicies(client)).toEqual([]);
    const live = { client, sources: sourcesOf({}), wanted: [], nowMs: NOW_MS, namespace: "headroom-system" };
    expect((await liveSnapshot(live)).moves).toEqual([]);
  });

  it("is not planned for when a policy of it cannot be read", async () => {
    const client = clientOf([policy({ podSelector: {}, pressure: { freeBelow: "200%" } })]);
    await expect(clusterPolicies(client)).rejects.toThrow(/^batch: spec\.pressure\.freeBelow: /);
  });
});
