import { describe, expect, it } from "vitest";
import { MIGRATION_POLICIES } from "../../../src/api/v1alpha1/migration-policy.ts";
import { NODES, PODS } from "../../../src/kube/resources.ts";
import { FEATURES } from "../../support/moving-world/simulated-nodes.ts";
import { PolicyBench, pressedCluster, type Spec } from "./bench.ts";

const gate = { schedulingGate: { closeAbove: "80%", reopenBelow: "65%" } };

describe("a policy in Enforce", () => {
  it("makes a PodMigration for a pod of a node that is short, with its cause", async () => {
    const bench = await pressedCluster();
    await bench.evaluate();
    expect(bench.moves()).toMatchObject([
      {
        metadata: { namespace: "default", labels: { "headroom.dev/policy": "batch" } },
        spec: {
          podName: "worker",
          targetNode: "big",
          policyName: "batch",
          timeout: "10m",
          tcp: "Refuse",
          cancel: false,
        },
        status: { cause: { measured: { node: "small", pressureBytes: 100 * 2 ** 20 } } },
      },
    ]);
    expect(bench.moves()[0]?.status?.cause?.message).toMatch(/worker uses 500Mi, and big keeps/);
    expect(bench.events.map(({ about, reason }) => `${about} ${reason}`)).toEqual([
      "MigrationPolicy/batch MoveStarted",
      "Pod/worker MoveStarted",
    ]);
  });

  it("makes no second one while the first is under way, even if the watch has not brought it back", async () => {
    const bench = await pressedCluster();
    await bench.addPod("other", "small", 300);
    await bench.evaluate();
    bench.clock.advance(15_000);
    await bench.evaluate({ podMigrations: true });
    expect(bench.moves()).toHaveLength(1);
    await bench.evaluateAfter(15);
    expect(bench.moves()).toHaveLength(1);
    expect(bench.policy("batch").status).toMatchObject({ counts: { pressured: 1, moving: 1, moved: 0 } });
  });

  it("does not make the same attempt twice: a leader that died after creating it is no reason", async () => {
    const bench = await pressedCluster();
    await bench.evaluate();
    bench.epoch++;
    bench.clock.advance(15_000);
    await bench.evaluate({ podMigrations: true });
    expect(bench.moves()).toHaveLength(1);
  });

  it("tries a refused pod again only after a while, under a new name", async () => {
    const bench = await pressedCluster({ pacing: { blocking: { pause: "0s" } } });
    await bench.evaluate();
    for (const move of bench.moves()) bench.finish(move, "Failed");
    await bench.evaluateAfter(30);
    expect(bench.moves()).toHaveLength(1);
    await bench.evaluateAfter(31);
    expect(bench.moves().map(({ metadata }) => metadata.name.slice(-2))).toEqual(["-1", "-2"]);
  });

  it("asks to be called again when its interval is over", async () => {
    const bench = await pressedCluster({ evaluationInterval: "20s" });
    expect(await bench.evaluate()).toEqual({ requeueAfterMs: 20_000 });
    await bench.evaluateAfter(5);
    expect(bench.collections).toBe(1);
    expect(await bench.evaluateAfter(15)).toEqual({ requeueAfterMs: 20_000 });
    expect(bench.collections).toBe(2);
  });

  it("keeps as many finished PodMigrations as it is told", async () => {
    const bench = await pressedCluster({ history: { keep: 1 }, pacing: { blocking: { pause: "0s" } } });
    for (const _ of [1, 2, 3]) {
      await bench.evaluateAfter(15);
      for (const move of bench.moves()) if (!move.status?.completionTime) bench.finish(move, "Succeeded");
    }
    await bench.evaluateAfter(15);
    expect(bench.moves().filter(({ status }) => status?.completionTime)).toHaveLength(1);
  });
});

describe("a policy in DryRun", () => {
  it("says what it would do, and touches nothing", async () => {
    const bench = await pressedCluster({ mode: "DryRun", ...gate });
    await bench.evaluate();
    expect(bench.moves()).toEqual([]);
    expect(bench.taints("small")).toEqual([]);
    expect(bench.policy("batch").metadata.finalizers).toBeUndefined();
    expect(bench.policy("batch").status).toMatchObject({
      recommendations: [{ pod: "worker", from: "small", to: "big" }],
      nodes: [{ name: "small", gated: true, outcome: "PodsSelected" }],
    });
  });

  it("says it once: the same recommendation is no event again", async () => {
    const bench = await pressedCluster({ mode: "DryRun" });
    await bench.evaluate();
    await bench.evaluateAfter(15);
    expect(bench.events.filter(({ reason }) => reason === "WouldMove")).toHaveLength(1);
  });
});

describe("the scheduling gate", () => {
  it("taints a node that fills up, and takes the taint off when it has emptied", async () => {
    const bench = await pressedCluster(gate);
    await bench.evaluate();
    const taint = { key: "headroom.dev/filling-up", value: "batch", effect: "NoSchedule" };
    expect(bench.taints("small")).toEqual([taint]);
    expect(bench.policy("batch").metadata.finalizers).toEqual(["headroom.dev/finalizer"]);
    bench.used.small = 700;
    await bench.evaluateAfter(15);
    expect(bench.taints("small")).toEqual([taint]);
    bench.used.small = 600;
    await bench.evaluateAfter(15);
    expect(bench.taints("small")).toEqual([]);
  });

  it("leaves the taints of others alone", async () => {
    const bench = await pressedCluster(gate);
    const other = { key: "dedicated", value: "db", effect: "NoSchedule" };
    bench.kube.change(NODES, { name: "small" }, (node) => Object.assign(node.spec ?? {}, { taints: [other] }));
    await bench.evaluate();
    expect(bench.taints("small")).toHaveLength(2);
    bench.used.small = 100;
    await bench.evaluateAfter(15);
    expect(bench.taints("small")).toEqual([other]);
  });

  it("goes with its policy", async () => {
    const bench = await pressedCluster(gate);
    await bench.evaluate();
    await bench.kube.delete(MIGRATION_POLICIES, { name: "batch" });
    await bench.evaluateAfter(1);
    expect(bench.taints("small")).toEqual([]);
    expect(bench.kube.peek(MIGRATION_POLICIES, { name: "batch" })).toBeUndefined();
  });

  it("goes when its policy is gone in another way, or no longer enforces", async () => {
    const bench = await pressedCluster(gate);
    await bench.evaluate();
    bench.kube.change(MIGRATION_POLICIES, { name: "batch" }, (policy) => {
      policy.spec.mode = "DryRun";
      policy.metadata.generation = 2;
    });
    await bench.evaluateAfter(1);
    expect(bench.taints("small")).toEqual([]);
  });

  it("stays as it is while there are no figures", async () => {
    const bench = await pressedCluster(gate);
    await bench.evaluate();
    bench.unavailable = { reason: "Unreachable", message: "InfluxDB does not answer" };
    bench.epoch++;
    await bench.evaluateAfter(15);
    expect(bench.taints("small")).toHaveLength(1);
  });
});

describe("metrics", () => {
  it("down: a condition says so, nothing is moved, and it recovers by itself", async () => {
    const bench = await pressedCluster();
    bench.unavailable = { reason: "Unreachable", message: "InfluxDB does not answer" };
    await bench.evaluate();
    expect(bench.moves()).toEqual([]);
    expect(bench.condition("batch", "MetricsAvailable")).toBe("False Unreachable");
    expect(bench.condition("batch", "Ready")).toBe("False MetricsUnavailable");
    bench.unavailable = undefined;
    await bench.evaluateAfter(15);
    expect(bench.condition("batch", "MetricsAvailable")).toBe("True Available");
    expect(bench.moves()).toHaveLength(1);
  });

  it("stale: nothing is moved", async () => {
    const bench = await pressedCluster();
    bench.ageSeconds = 91;
    await bench.evaluate();
    expect(bench.moves()).toEqual([]);
    expect(bench.condition("batch", "MetricsAvailable")).toBe("False FiguresMissing");
  });

  it("a node without a figure is no target", async () => {
    const bench = await pressedCluster();
    delete bench.used.big;
    await bench.evaluate();
    expect(bench.moves()).toEqual([]);
    expect(bench.condition("batch", "NodesFull")).toBe("True NoTargetHasRoom");
  });
});

describe("the status", () => {
  it("is written when it says something new, not with each evaluation", async () => {
    const bench = await pressedCluster({ pressure: { freeBelow: "1%" } });
    await bench.evaluate();
    const version = () => bench.policy("batch").metadata.resourceVersion;
    const first = version();
    bench.used.small = 905;
    await bench.evaluateAfter(15);
    await bench.evaluateAfter(15);
    expect(version()).toBe(first);
    bench.used.small = 995;
    await bench.evaluateAfter(15);
    expect(version()).not.toBe(first);
  });

  it("shows when nodes are full, once as an event", async () => {
    const bench = await pressedCluster();
    bench.used.big = 3500;
    await bench.evaluate();
    await bench.evaluateAfter(15);
    expect(bench.condition("batch", "NodesFull")).toBe("True NoTargetHasRoom");
    expect(bench.events.filter(({ reason }) => reason === "NodesFull")).toHaveLength(1);
    expect(bench.policy("batch").status?.refusals).toContainEqual(
      expect.objectContaining({ pod: "worker", node: "big", reason: "NotEnoughRoom" }),
    );
  });

  it("shows whose agents are not ready, and moves nothing from or to such nodes", async () => {
    const sound = await pressedCluster();
    await sound.evaluate();
    expect(sound.condition("batch", "AgentsReady")).toBe("True Ready");
    const bench = await pressedCluster();
    const features = { ...FEATURES, handlerInstalled: false, handlerMessage: "no containerd runs on this node" };
    bench.reports.set("big", { time: "2026-01-01T00:00:00Z", features });
    await bench.addNode("third", 4000, 200);
    bench.kube.change(PODS, { namespace: "headroom-system", name: "agent-third" }, ({ metadata }) => {
      metadata.labels = {};
    });
    await bench.evaluate();
    expect(bench.condition("batch", "AgentsReady")).toBe("False HandlerNotInstalled");
    const { message } = bench.policy("batch").status?.conditions?.find(({ type }) => type === "AgentsReady") ?? {};
    expect(message).toMatch(/^2 of 3 nodes: big: .*no containerd runs on this node; third: no agent runs on it/);
    const refusals = bench.policy("batch").status?.refusals;
    expect(refusals).toContainEqual(expect.objectContaining({ node: "big", reason: "HandlerNotInstalled" }));
    expect(refusals).toContainEqual(expect.objectContaining({ node: "third", reason: "AgentNotReady" }));
  });

  it("shows that policies overlap", async () => {
    const bench = await pressedCluster();
    await bench.addPolicy("all", { podSelector: {} });
    await bench.evaluate();
    expect(bench.condition("batch", "Overlapping")).toBe("True Overlapping");
    expect(bench.condition("all", "Overlapping")).toBe("False NoOverlap");
    expect(bench.moves().map(({ spec }) => spec.policyName)).toEqual(["all"]);
  });

  it("of a policy that cannot be read says so, and the others go on", async () => {
    const bench = await pressedCluster();
    await bench.addPolicy("broken");
    bench.kube.change(MIGRATION_POLICIES, { name: "broken" }, (policy) => {
      Object.assign(policy.spec, { evaluationInterval: "soon" });
    });
    await bench.evaluate();
    expect(bench.condition("broken", "Ready")).toBe("False InvalidSpec");
    expect(bench.policy("broken").status?.conditions?.[0]?.message).toContain("spec.evaluationInterval: must be");
    expect(bench.moves()).toHaveLength(1);
  });
});

it("a failure of one policy's action shows in its status and does not stop the others", async () => {
  const bench = new PolicyBench();
  for (const name of ["a", "b"]) {
    await bench.addNode(name, 1000, 900);
    await bench.addPod(`worker-${name}`, name, 500, { labels: { app: name } });
    await bench.addPolicy(name, { podSelector: { matchLabels: { app: name } }, ...gate });
  }
  const patch = bench.kube.patch.bind(bench.kube);
  bench.kube.patch = (kind, ref, ...rest) =>
    kind.kind === "Node" && ref.name === "a"
      ? Promise.reject(new Error("no right to do that"))
      : patch(kind, ref, ...rest);
  expect(await bench.evaluate()).toEqual({ requeueAfterMs: 5000 });
  expect(bench.taints("b")).toHaveLength(1);
  expect(bench.condition("a", "Ready")).toBe("False ActionFailed");
  expect(bench.condition("b", "Ready")).toBe("True Evaluated");
});

describe("a policy that forecasts", () => {
  const forecast: Partial<Spec> = {
    pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { model: "Linear" } },
  };

  /** small has 1000 MiB, 900 used; less than 5% may be free in two and a half minutes. */
  async function growingCluster(spec: Partial<Spec> = {}): Promise<PolicyBench> {
    const bench = await pressedCluster({ ...forecast, ...spec });
    bench.growing = { small: 20, worker: 20, big: 0 };
    return bench;
  }

  it("makes no PodMigration before its time has come, and says when that will be", async () => {
    const bench = await growingCluster();
    await bench.evaluate();
    expect(bench.moves()).toEqual([]);
    const [node] = bench.policy("batch").status?.nodes ?? [];
    expect(node).toMatchObject({ name: "small", outcome: "StartsLater" });
    const inSeconds = (time = "") => (Date.parse(time) - bench.clock.now()) / 1000;
    expect(inSeconds(node?.deadline)).toBeGreaterThan(140);
    expect(inSeconds(node?.deadline)).toBeLessThanOrEqual(150);
    expect(inSeconds(node?.exhaustedAt)).toBeCloseTo(300, -1);
    expect(bench.events.map(({ reason }) => reason)).toEqual(["MovePlanned"]);
  });

  it("makes it when it has, once, and in time; its cause tells what was foreseen", async () => {
    const bench = await growingCluster();
    await bench.evaluate();
    const deadlineMs = Date.parse(bench.policy("batch").status?.nodes?.[0]?.deadline ?? "");
    while (bench.moves().length === 0 && bench.clock.now() < deadlineMs) await bench.evaluateAfter(15);
    // A move of 0.5 GiB takes 2 seconds, and 30 more at most.
    expect(deadlineMs - bench.clock.now()).toBeGreaterThan(32_000);
    expect(deadlineMs - bench.clock.now()).toBeLessThan(75_000);
    const cause = bench.moves()[0]?.status?.cause;
    expect(cause?.forecast?.message).toMatch(/within 5m at most/);
    expect(Date.parse(cause?.forecast?.deadline ?? "")).toBeGreaterThan(bench.clock.now());
    expect(Date.parse(cause?.forecast?.exhaustedAt ?? "")).toBeGreaterThan(deadlineMs);
    expect(bench.events.filter(({ reason }) => reason === "MovePlanned")).toHaveLength(1);
    await bench.evaluateAfter(15);
    expect(bench.moves()).toHaveLength(1);
  });

  it("starts when nothing ends in time any more, and says so", async () => {
    const bench = await growingCluster();
    bench.used.small = 940;
    await bench.evaluate();
    expect(bench.moves()).toHaveLength(1);
    expect(bench.moves()[0]?.status?.cause?.message).toMatch(/too late: it may end \d+s after/);
    expect(bench.events.map(({ reason }) => reason)).toContain("TooLate");
  });

  it("in DryRun tells when the move would start", async () => {
    const bench = await growingCluster({ mode: "DryRun" });
    await bench.evaluate();
    const [recommended] = bench.policy("batch").status?.recommendations ?? [];
    expect(Date.parse(recommended?.startAt ?? "")).toBeGreaterThan(bench.clock.now());
  });
});
