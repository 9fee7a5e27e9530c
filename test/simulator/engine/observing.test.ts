/** What planning is shown: late, lost and missing samples; taints; what the scheduler does with them. A node has 100 bytes. */
import { describe, expect, it } from "vitest";
import { GATE_TAINT } from "../../../src/api/v1alpha1/group.ts";
import type { Conditions } from "../../../src/simulator/scenario.ts";
import { EXACT, flat, growing, node, pod, policy, run, type SpecInput, scenario, story, trace } from "./world.ts";

const short = (more: SpecInput = {}) => policy({ pressure: { strategy: "Threshold", freeBelow: "20%" }, ...more });
const metrics = (more: Partial<Conditions["metrics"]>): Partial<Conditions> => ({
  metrics: { ...EXACT.metrics, ...more },
});
const started = (record: ReturnType<typeof run>) => story(record, ["MoveStarted"]);

describe("metrics that come late", () => {
  // From 60 s on z1 has 82 used.
  const jumps = (conditions: Partial<Conditions>) =>
    scenario(
      [node("z1"), node("z2")],
      [pod("a", trace([0, 30], [59, 30], [60, 42]), { node: "z1" }), pod("b", flat(40), { node: "z1" })],
      { conditions, endSeconds: 250 },
    );

  it.each([
    { delaySeconds: 0, at: 60 },
    { delaySeconds: 10, at: 120 },
    { delaySeconds: 60, at: 120 },
    { delaySeconds: 70, at: 180 },
  ])("show a jump $delaySeconds s later, at the evaluation at $at s", ({ delaySeconds, at }) => {
    expect(started(run(jumps(metrics({ delaySeconds })), [short()]))).toEqual([`${at} MoveStarted a z1→z2`]);
  });

  it("are not relied on when they are too old", () => {
    const late = jumps(metrics({ delaySeconds: 70 }));
    expect(started(run(late, [short({ metrics: { staleAfter: "60s" } })]))).toEqual([]);
  });

  it("are the truth for who knows the future", () => {
    const record = run(jumps(metrics({ delaySeconds: 70 })), [short()], { foresight: true });
    expect(started(record)).toEqual(["60 MoveStarted a z1→z2"]);
  });

  it("that are all lost show nothing", () => {
    expect(started(run(jumps(metrics({ lossRate: 1 })), [short()]))).toEqual([]);
  });

  it("are lost by chance, as often as said, and the same ones for each seed", () => {
    const tick = policy({
      evaluationInterval: "10s",
      metrics: { staleAfter: "9s" },
      schedulingGate: { closeAbove: "50%", reopenBelow: "10%" },
    });
    // An evaluation without a figure of z2 does not close its gate, so the first that has one does.
    const closedAt = (seed: number) => {
      const half = scenario([node("z1"), node("z2")], [pod("a", flat(60), { node: "z2" })], {
        conditions: metrics({ lossRate: 0.5 }),
        endSeconds: 60,
      });
      return run(half, [tick], { seed }).events.find(({ kind }) => kind === "GateClosed")?.seconds;
    };
    const seeds = Array.from({ length: 200 }, (_, seed) => seed);
    const first = seeds.map(closedAt);
    expect(seeds.map(closedAt)).toEqual(first);
    const atOnce = first.filter((seconds) => seconds === 10).length;
    expect(atOnce).toBeGreaterThan(70);
    expect(atOnce).toBeLessThan(130);
  });
});

describe("a gap in a trace", () => {
  const gap = (gaps: { fromSeconds: number; toSeconds: number }[]) =>
    scenario(
      [node("z1"), node("z2")],
      [
        pod("a", flat(45), { node: "z1", gaps }),
        pod("b", flat(40), { node: "z1", annotations: { "headroom.dev/move": "false" } }),
      ],
      { endSeconds: 300 },
    );

  it("keeps the pod where it is until it is seen again, though the node is short", () => {
    expect(started(run(gap([]), [short()]))).toEqual(["60 MoveStarted a z1→z2"]);
    expect(started(run(gap([{ fromSeconds: 0, toSeconds: 170 }]), [short()]))).toEqual(["180 MoveStarted a z1→z2"]);
  });

  it("is bridged as long as the last sample is fresh enough", () => {
    expect(started(run(gap([{ fromSeconds: 30, toSeconds: 301 }]), [short()]))).toEqual(["60 MoveStarted a z1→z2"]);
    const strict = short({ metrics: { staleAfter: "30s" } });
    expect(started(run(gap([{ fromSeconds: 30, toSeconds: 301 }]), [strict]))).toEqual([]);
  });

  it("is one of the pod alone: what its node uses is seen", () => {
    const gated = short({ schedulingGate: { closeAbove: "50%", reopenBelow: "40%" } });
    const pods = [pod("a", flat(60), { node: "z1", gaps: [{ fromSeconds: 0, toSeconds: 301 }] })];
    const record = run(scenario([node("z1")], pods, { endSeconds: 300 }), [gated]);
    expect(story(record, ["GateClosed"])).toEqual(["60 GateClosed z1"]);
  });
});

describe("a namespace", () => {
  const pods = (more: Parameters<typeof pod>[2]) =>
    ["a", "b"].map((name) => pod(name, flat(45), { namespace: "jobs", node: "z1", ...more }));
  const moves = (labels: Record<string, string>, more: Parameters<typeof pod>[2] = {}) =>
    started(
      run(scenario([node("z1"), node("z2")], pods(more)), [short({ namespaceSelector: { matchLabels: labels } })]),
    );

  it("has the label with its name that Kubernetes gives it, whatever a file says", () => {
    const name = "kubernetes.io/metadata.name";
    expect(moves({ [name]: "jobs" })).toHaveLength(1);
    expect(moves({ [name]: "jobs" }, { namespaceLabels: { [name]: "other" } })).toHaveLength(1);
    expect(moves({ [name]: "other" })).toEqual([]);
  });

  it("has those labels besides that its pods' file tells", () => {
    expect(moves({ team: "x" }, { namespaceLabels: { team: "x" } })).toHaveLength(1);
    expect(moves({ team: "x" })).toEqual([]);
  });
});

describe("the scheduling gate", () => {
  const gated = short({ schedulingGate: { closeAbove: "50%", reopenBelow: "40%" } });

  it("keeps new pods off a node that fills up, until it has room again", () => {
    const pods = [
      pod("a", trace([0, 60], [200, 60], [201, 10]), { requestBytes: 60 }),
      pod("b", flat(10), { arrivalSeconds: 100, requestBytes: 10 }),
      pod("c", flat(10), {
        arrivalSeconds: 101,
        requestBytes: 10,
        tolerations: [{ key: GATE_TAINT, operator: "Exists" }],
      }),
    ];
    expect(story(run(scenario([node("z1")], pods), [gated]), ["Scheduled", "GateClosed", "GateOpened"])).toEqual([
      "0 Scheduled a z1",
      "60 GateClosed z1",
      "101 Scheduled c z1",
      "240 GateOpened z1",
      "240 Scheduled b z1",
    ]);
  });

  it("does nothing without a policy that has one", () => {
    const pods = [pod("a", flat(60)), pod("b", flat(10), { arrivalSeconds: 100 })];
    const record = run(scenario([node("z1")], pods), [short({ selection: { strategy: "Max" } })]);
    expect(story(record, ["Scheduled", "GateClosed"])).toEqual(["0 Scheduled a z1", "100 Scheduled b z1"]);
  });
});

describe("the scheduler", () => {
  const placed = (
    nodes: Parameters<typeof scenario>[0],
    pods: Parameters<typeof scenario>[1],
    scheduler: Conditions["scheduler"] = "LeastRequested",
  ) => story(run(scenario(nodes, pods, { conditions: { scheduler } })), ["Scheduled"]);

  it("puts each pod on the node of which the least is requested, the first by name among equals", () => {
    const pods = ["a", "b", "c"].map((name) => pod(name, flat(1), { requestBytes: 30 }));
    expect(placed([node("z2"), node("z1")], pods)).toEqual([
      "0 Scheduled a z1",
      "0 Scheduled b z2",
      "0 Scheduled c z1",
    ]);
  });

  it("lets pods wait that fit nowhere, and takes them in order when there is room", () => {
    const pods = [
      pod("a", flat(1), { requestBytes: 60, durationSeconds: 50 }),
      pod("b", flat(1), { requestBytes: 60, arrivalSeconds: 10, durationSeconds: 50 }),
      pod("c", flat(1), { requestBytes: 30, arrivalSeconds: 20 }),
      pod("d", flat(1), { requestBytes: 60, arrivalSeconds: 30 }),
    ];
    expect(placed([node("z1")], pods)).toEqual([
      "0 Scheduled a z1",
      "20 Scheduled c z1",
      "50 Scheduled b z1",
      "100 Scheduled d z1",
    ]);
  });

  it.each([
    {
      what: "its taint is not tolerated",
      other: { taints: [{ key: "gpu", effect: "NoSchedule" as const }] },
      more: {},
    },
    { what: "it has not the wanted label", other: {}, more: { nodeSelector: { disk: "fast" } } },
    { what: "it has as many pods as it may", other: { maxPods: 0 }, more: {} },
    { what: "it may not give out so much", other: { allocatableBytes: 10 }, more: {} },
  ])("passes a node over when $what", ({ other, more }) => {
    const nodes = [node("a-bad", other), node("z-good", { labels: { disk: "fast" } })];
    // The good one is fuller.
    const pods = [
      pod("first", flat(1), { requestBytes: 50, node: "z-good" }),
      pod("p", flat(1), { requestBytes: 20, ...more }),
    ];
    expect(placed(nodes, pods).at(-1)).toBe("0 Scheduled p z-good");
  });

  it("takes a node with a PreferNoSchedule taint last", () => {
    const nodes = [node("z1", { taints: [{ key: "old", effect: "PreferNoSchedule" }] }), node("z2")];
    const pods = ["a", "b"].map((name) => pod(name, flat(1), { requestBytes: 60 }));
    expect(placed(nodes, pods)).toEqual(["0 Scheduled a z2", "0 Scheduled b z1"]);
  });

  it("puts a pod where it was recorded, if it fits there", () => {
    const nodes = [node("z1"), node("z2")];
    const pods = ["a", "b"].map((name) => pod(name, flat(1), { requestBytes: 60, node: "z2" }));
    expect(placed(nodes, pods)).toEqual(["0 Scheduled a z2", "0 Scheduled b z1"]);
  });

  it("uses up memory and places alike when it balances", () => {
    // Half of z1's places are taken and none of its memory: a big pod evens that out. z2 is empty.
    const nodes = [node("z1", { maxPods: 4 }), node("z2", { maxPods: 4, capacityBytes: 100 })];
    const small = ["a", "b"].map((name) => pod(name, flat(1), { requestBytes: 1e-9, node: "z1" }));
    const pods = [...small, pod("big", flat(1), { requestBytes: 75, arrivalSeconds: 1 })];
    expect(placed(nodes, pods, "Balanced").at(-1)).toBe("1 Scheduled big z1");
    expect(placed([node("z1", { maxPods: 4 }), node("z2", { maxPods: 4 })], pods).at(-1)).toBe("1 Scheduled big z2");
  });
});

describe("evaluations", () => {
  it("come at each policy's interval", () => {
    const both = [policy({ evaluationInterval: "60s" }, "slow"), policy({ evaluationInterval: "40s" }, "fast")];
    // 40, 60, 80, 120 (both), 160, 180, 200, 240 (both).
    expect(run(scenario([node("z1")], [pod("a", flat(1))], { endSeconds: 240 }), both).evaluations).toBe(8);
    expect(run(scenario([node("z1")], [pod("a", flat(1))]), []).evaluations).toBe(0);
  });

  it("of a policy in DryRun are carried out all the same", () => {
    const pods = [pod("a", flat(45), { node: "z1" }), pod("b", flat(40), { node: "z1" })];
    const record = run(scenario([node("z1"), node("z2")], pods), [short({ mode: "DryRun" })]);
    expect(started(record)).toHaveLength(1);
  });

  it("say each time that no node has room, and keep their reasons when asked to", () => {
    const pods = [pod("a", flat(45)), pod("b", flat(45))];
    const record = run(scenario([node("z1")], pods, { endSeconds: 130 }), [short()], { decisions: true });
    expect(story(record)).toEqual(["60 NodesFull z1", "120 NodesFull z1"]);
    expect(record.decisions?.map(({ seconds }) => seconds)).toEqual([60, 120]);
    expect(record.decisions?.[0]?.nodes[0]).toMatchObject({ name: "z1", pressureBytes: 10, outcome: "NodesFull" });
    expect(run(scenario([node("z1")], pods), [short()]).decisions).toBeUndefined();
  });

  it("hold a forecast's bound against what became of the node", () => {
    const grows = scenario([node("z1"), node("z2")], [pod("a", growing(20, 1), { node: "z1" })], { endSeconds: 3000 });
    const foresees = policy({
      pressure: {
        strategy: "Forecast",
        freeBelow: "5%",
        forecast: { horizon: "5m", model: "Linear", confidence: 0.9 },
      },
    });
    const { forecast } = run(grows, [foresees]);
    expect(forecast?.confidence).toBe(0.9);
    expect(forecast?.foreseen).toBeGreaterThan(0);
    // A straight line holds no surprises.
    expect(forecast?.covered).toBe(forecast?.foreseen);
    expect(run(grows, [short()]).forecast).toBeUndefined();
    // What is found of its nodes in between, when another policy is due, is nothing that it went by.
    const bystander = policy({ podSelector: { matchLabels: { no: "such" } }, evaluationInterval: "25s" }, "bystander");
    expect(run(grows, [foresees, bystander]).forecast).toEqual(forecast);
  });
});
