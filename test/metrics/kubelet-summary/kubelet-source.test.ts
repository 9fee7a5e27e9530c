import { describe, expect, test } from "vitest";
import { KubeError } from "../../../src/kube/client.ts";
import { systemClock } from "../../../src/kube/clock.ts";
import { KubeletSource } from "../../../src/metrics/kubelet-summary/kubelet-source.ts";
import type { CollectRequest, LivePod, Reading } from "../../../src/metrics/source.ts";

const T0 = Date.parse("2026-01-01T12:00:00Z");
const at = (seconds: number) => T0 + seconds * 1000;
const iso = (seconds: number) => new Date(at(seconds)).toISOString();
const GI = 2 ** 30;

type Answers = Record<string, unknown>;

/** A kubelet's answer: the node and its pods' containers, measured at one moment. */
function summary(seconds: number, availableBytes: number, pods: Record<string, Record<string, number>> = {}) {
  return {
    node: { nodeName: "n", memory: { time: iso(seconds), availableBytes, workingSetBytes: 100 * GI - availableBytes } },
    pods: Object.entries(pods).map(([uid, containers]) => ({
      podRef: { name: "p", namespace: "default", uid },
      containers: Object.entries(containers).map(([name, workingSetBytes]) => ({
        name,
        memory: { time: iso(seconds), workingSetBytes },
      })),
    })),
  };
}

/** Answers by node name; an Error is thrown; a node that isn't there never answers. */
class FakeKubelets {
  answers: Answers;
  readonly paths: string[] = [];
  inFlight = 0;
  mostInFlight = 0;

  constructor(answers: Answers) {
    this.answers = answers;
  }

  async getRaw(path: string): Promise<unknown> {
    this.paths.push(path);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await Promise.resolve();
    this.inFlight--;
    const answer = this.answers[/nodes\/([^/]+)\/proxy/.exec(path)?.[1] ?? ""];
    if (answer === undefined) return new Promise(() => {});
    if (answer instanceof Error) throw answer;
    return answer;
  }
}

function livePod(uid: string, node: string, startedAtMs: number | undefined = at(-3000)): LivePod {
  return { namespace: "default", name: `name-${uid}`, uid, node, startedAtMs };
}

function request(seconds: number, nodes: string[], pods: LivePod[] = []): CollectRequest {
  return { nowMs: at(seconds), nodes: nodes.map((name) => ({ name, capacityBytes: 100 * GI })), pods };
}

async function reading(source: KubeletSource, asked: CollectRequest): Promise<Reading> {
  const result = await source.collect(asked);
  if (!result.ok) throw new Error(result.error.message);
  return result.reading;
}

describe("Memory from the kubelets", () => {
  test("is asked of each node through the API server, and kept over time", async () => {
    const kubelets = new FakeKubelets({ z1: summary(-5, 70 * GI), z2: summary(-5, 90 * GI) });
    const source = new KubeletSource(kubelets, systemClock);
    await reading(source, request(0, ["z1", "z2"]));
    kubelets.answers = { z1: summary(10, 60 * GI), z2: summary(10, 90 * GI) };
    const found = await reading(source, request(15, ["z1", "z2"]));
    expect(kubelets.paths[0]).toBe("/api/v1/nodes/z1/proxy/stats/summary?only_cpu_and_memory=true");
    expect(found.nodes.get("z1")?.series).toEqual({
      timesMs: Float64Array.of(at(-5), at(10)),
      bytes: Float64Array.of(30 * GI, 40 * GI),
    });
  });

  test("sums a pod's containers, by UID, and believes a node about its own pods only", async () => {
    const kubelets = new FakeKubelets({
      z1: summary(-5, 70 * GI, { a: { main: 3 * GI, side: GI }, gone: { main: GI }, b: { main: 9 * GI } }),
      z2: summary(-5, 70 * GI, { b: { main: 2 * GI } }),
    });
    const found = await reading(
      new KubeletSource(kubelets, systemClock),
      request(0, ["z1", "z2"], [livePod("a", "z1"), livePod("b", "z2")]),
    );
    expect([...found.pods].map(([uid, { usedBytes }]) => [uid, (usedBytes ?? 0) / GI])).toEqual([
      ["a", 4],
      ["b", 2],
    ]);
  });

  test("knows nothing of a pod whose containers have no figures yet", async () => {
    const empty = { podRef: { uid: "a" }, containers: [{ name: "main" }] };
    const answer = { node: { memory: { time: iso(-5), availableBytes: GI } }, pods: [empty] };
    const source = new KubeletSource(new FakeKubelets({ z1: answer }), systemClock);
    const found = await reading(source, request(0, ["z1"], [livePod("a", "z1")]));
    expect(found.pods.get("a")?.usedBytes).toBeUndefined();
  });

  test("is asked of many nodes, a bounded number at a time", async () => {
    const nodes = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const kubelets = new FakeKubelets(Object.fromEntries(nodes.map((name) => [name, summary(-5, 50 * GI)])));
    const found = await reading(new KubeletSource(kubelets, systemClock, { concurrency: 3 }), request(0, nodes));
    expect(found.nodes.size).toBe(40);
    expect(kubelets.mostInFlight).toBe(3);
  });
});

describe("A kubelet that fails", () => {
  test.each([
    ["is forbidden", new KubeError("Forbidden", "nodes/proxy is forbidden"), "Unauthorized"],
    ["can't be reached", new KubeError("Unavailable", "dial tcp: no route to host"), "Unreachable"],
    ["is unknown", new KubeError("NotFound", "nodes z2 not found"), "NotFound"],
    ["fails strangely", new Error("odd"), "Unreachable"],
    ["answers with something else", { items: [] }, "BadAnswer"],
    ["answers with nothing", null, "BadAnswer"],
    ["does not answer", undefined, "Timeout"],
  ])("because it %s is noted on its node and doesn't stop the others", async (_, answer, reason) => {
    const kubelets = new FakeKubelets({ z1: summary(-5, 70 * GI), z2: answer });
    const found = await reading(new KubeletSource(kubelets, systemClock, { timeoutMs: 20 }), request(0, ["z1", "z2"]));
    expect(found.nodes.get("z1")?.usedBytes).toBe(30 * GI);
    expect(found.nodes.get("z2")).toMatchObject({ usedBytes: undefined, error: { reason } });
    expect(found.nodes.get("z2")?.error?.message).toContain("Kubelet of z2: ");
  });

  test("like all others leaves no reading, and they recover by themselves", async () => {
    const kubelets = new FakeKubelets({ z1: new KubeError("Unavailable", "down") });
    const source = new KubeletSource(kubelets, systemClock);
    expect(await source.collect(request(0, ["z1"]))).toEqual({
      ok: false,
      error: { reason: "Unreachable", message: "No kubelet can be asked. Kubelet of z1: down" },
    });
    kubelets.answers = { z1: summary(10, 70 * GI) };
    expect((await reading(source, request(15, ["z1"]))).nodes.get("z1")?.usedBytes).toBe(30 * GI);
  });

  test("keeps what was known before, as old as it is", async () => {
    const kubelets = new FakeKubelets({ z1: summary(-5, 70 * GI), z2: summary(-5, 50 * GI) });
    const source = new KubeletSource(kubelets, systemClock);
    await reading(source, request(0, ["z1", "z2"]));
    kubelets.answers = { z1: summary(10, 70 * GI), z2: new KubeError("Timeout", "slow") };
    const found = await reading(source, request(15, ["z1", "z2"]));
    expect(found.nodes.get("z2")).toMatchObject({ usedBytes: 50 * GI, sampledAtMs: at(-5) });
  });
});
