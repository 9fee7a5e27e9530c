import { describe, expect, test } from "vitest";
import { renderReport } from "../../src/cli/top/render.ts";
import { look } from "../../src/cli/top.ts";
import type { KubeObject, ResourceKind } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { KubeletSource } from "../../src/metrics/kubelet-summary/kubelet-source.ts";
import type { CollectResult, MetricsSource } from "../../src/metrics/source.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const iso = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const GI = 2 ** 30;

const node = (name: string, memory: string) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  status: { capacity: { memory } },
});

const pod = (name: string, nodeName: string | undefined, phase = "Running", namespace = "default") => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, uid: `uid-${name}` },
  spec: { nodeName, containers: [] },
  status: { phase, startTime: iso(-3000) },
});

/** Three nodes, of which one can't be asked; pods that run, wait, and have ended. */
const cluster = {
  list<T extends KubeObject>(kind: ResourceKind<T>) {
    const objects: Record<string, unknown[]> = {
      nodes: [node("big", "104857600Ki"), node("small", `${10 * GI}`), node("lost", `${10 * GI}`)],
      pods: [
        pod("a", "big"),
        pod("b", "small"),
        pod("c", "big", "Running", "other"),
        pod("unmeasured", "lost"),
        pod("waiting", undefined, "Pending"),
        pod("ended", "big", "Succeeded"),
      ],
    };
    // The test's objects have the fields that are read.
    return Promise.resolve({ items: (objects[kind.plural] ?? []) as T[], resourceVersion: "1" });
  },
  getRaw(path: string): Promise<unknown> {
    if (path.includes("/lost/")) return Promise.reject(new Error("no route to host"));
    const memory = (workingSetBytes: number) => ({ time: iso(-7), workingSetBytes });
    const used = (name: string, bytes: number) => ({
      podRef: { uid: `uid-${name}` },
      containers: [{ name: "main", memory: memory(bytes) }],
    });
    return Promise.resolve(
      path.includes("/big/")
        ? { node: { memory: memory(40 * GI) }, pods: [used("a", 3 * GI), used("c", 20 * GI)] }
        : { node: { memory: memory(9 * GI) }, pods: [used("b", 4.5 * GI)] },
    );
  },
};

const clock = { now: () => NOW };
const kubelets = () => new KubeletSource(cluster, systemClock);

describe("headroom top", () => {
  test("shows nodes by what is free of them, and running pods by size", async () => {
    const { nodes, pods, source } = await look(cluster, kubelets(), clock);
    expect(source).toBe("KubeletSummary");
    expect(nodes.map(({ name, freeBytes, pods, state }) => [name, freeBytes, pods, state])).toEqual([
      ["small", 1 * GI, 1, "Fresh"],
      ["big", 60 * GI, 2, "Fresh"],
      ["lost", undefined, 1, "Missing"],
    ]);
    expect(pods.map(({ name, usedBytes }) => [name, usedBytes])).toEqual([
      ["c", 20 * GI],
      ["b", 4.5 * GI],
      ["a", 3 * GI],
      ["unmeasured", undefined],
    ]);
  });

  test("shows the pods of one namespace, and still counts all of a node's", async () => {
    const { nodes, pods } = await look(cluster, kubelets(), clock, "other");
    expect(pods.map(({ name }) => name)).toEqual(["c"]);
    expect(nodes.find(({ name }) => name === "big")?.pods).toBe(2);
  });

  test("prints a table that says what isn't known, and why", async () => {
    expect(renderReport(await look(cluster, kubelets(), clock), 3)).toBe(
      [
        "NODE    CAPACITY   USED   FREE   FREE%   PODS   MEASURED",
        "small   10Gi       9Gi    1Gi    10.0%   1      7s ago",
        "big     100Gi      40Gi   60Gi   60.0%   2      7s ago",
        "lost    10Gi       -      -      -       1      Missing",
        "",
        "NAMESPACE   POD   NODE    USED    MEASURED",
        "other       c     big     20Gi    7s ago",
        "default     b     small   4.5Gi   7s ago",
        "default     a     big     3Gi     7s ago",
        "… and 1 more (--pods 4 shows all)",
        "Kubelet of lost: no route to host",
        "Source: KubeletSummary, 2026-01-01T12:00:00.000Z",
      ].join("\n"),
    );
  });

  test.each([
    [
      "is shown where a kubelet tells it",
      { some: { total: 1, avg10: 12.34, avg60: 5 }, full: { avg10: 0.5 } },
      "12.3%/0.5%",
    ],
    ["that is of another form is not there", { some: "much" }, undefined],
    ["that is null is not there", null, undefined],
  ])("pressure %s", async (_what, psi, shown) => {
    const getRaw = async (path: string): Promise<unknown> => {
      const answer = (await cluster.getRaw(path)) as { node: { memory: object } };
      return path.includes("/big/") ? { ...answer, node: { memory: { ...answer.node.memory, psi } } } : answer;
    };
    const lines = renderReport(await look(cluster, new KubeletSource({ getRaw }, systemClock), clock), 1).split("\n");
    if (shown === undefined) expect(lines[0]).not.toContain("PSI");
    else expect(lines.slice(0, 4).map((line) => line.split(/ {2,}/)[6])).toEqual(["PSI", "-", shown, "-"]);
  });

  test("marks old figures", async () => {
    const late = await look(cluster, kubelets(), { now: () => NOW + 120_000 });
    expect(late.nodes[0]).toMatchObject({ name: "small", state: "Stale" });
    expect(renderReport(late, 1)).toContain("127s ago (Stale)");
  });

  test("fails with the source's sentence when there is no reading", async () => {
    const down: CollectResult = { ok: false, error: { reason: "Unreachable", message: "InfluxDB is down" } };
    const source: MetricsSource = { name: "InfluxDB", collect: () => Promise.resolve(down) };
    await expect(look(cluster, source, clock)).rejects.toThrow("InfluxDB is down");
  });
});
