/** What the controller keeps of the nodes, over a memory API. */
import { beforeEach, describe, expect, test } from "vitest";
import type { NodeFeatures, Turn } from "../../src/agent/protocol.ts";
import { type PodMigration, podMigrationStatusSchema } from "../../src/api/v1alpha1/pod-migration.ts";
import { DriverError } from "../../src/checkpointing/driver.ts";
import { nodeReportsController } from "../../src/controllers/node-reports/controller.ts";
import { NODE_REPORTS, type NodeReport, parseReport } from "../../src/controllers/node-reports/report.ts";
import type { Share } from "../../src/controllers/roll-out/decide.ts";
import type { Controller, ControllerContext, Term } from "../../src/kube/controller.ts";
import { CONFIG_MAPS, type Pod } from "../../src/kube/resources.ts";
import { silentLogger } from "../../src/logging/logger.ts";
import { MemoryKube } from "../support/moving-world/memory-kube.ts";
import { FEATURES } from "../support/moving-world/simulated-nodes.ts";

function agentOn(nodeName: string): Pod {
  const labels = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
  const metadata = { name: `agent-${nodeName}`, namespace: "headroom-system", labels };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName, containers: [] } };
}

/** The controller over agents that a test holds, on a clock that it moves. */
class Bench {
  readonly client = new MemoryKube(() => 0);
  readonly events: string[] = [];
  readonly asked: string[] = [];
  readonly given: string[] = [];
  readonly known = new Map<string, NodeReport>();
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  agents: Pod[] = [];
  moves: PodMigration[] = [];
  answer: (node: string) => Partial<NodeFeatures> | DriverError = () => ({});
  prepare: (node: string) => Turn | DriverError = () => ({ state: "preparing" });
  readonly #controller: Controller;

  constructor(share: Share = { fraction: 0.1 }) {
    const context = {
      client: this.client,
      clock: { now: () => this.nowMs },
      namespace: "headroom-system",
      logger: silentLogger,
      events: {
        record: ({ metadata }: Pod, type: string, reason: string, message: string) =>
          this.events.push(`${metadata.name} ${type} ${reason}: ${message}`),
      },
      stores: { pods: { list: () => this.agents }, podMigrations: { list: () => this.moves } },
    };
    const driver = {
      features: async (node: string) => {
        this.asked.push(node);
        return { ...FEATURES, ...thrown(this.answer(node)) };
      },
      prepare: async (node: string, { epoch }: { epoch: number }) => {
        this.given.push(`${node} ${epoch}`);
        return thrown(this.prepare(node));
      },
    };
    // Nothing else of it is used.
    this.#controller = nodeReportsController(context as unknown as ControllerContext, driver, {
      share,
      known: this.known,
    });
  }

  /** Runs it once; resolves with the time until the next run, milliseconds. */
  async run(afterMs = 0): Promise<number | undefined> {
    this.nowMs += afterMs;
    this.asked.splice(0);
    const term = { epoch: 7, signal: new AbortController().signal } as Term;
    return (await this.#controller.reconcile({ name: "all" }, term))?.requeueAfterMs;
  }

  get data(): Record<string, string> {
    return this.client.all(CONFIG_MAPS).find(({ metadata }) => metadata.name === NODE_REPORTS)?.data ?? {};
  }

  report(node: string) {
    return parseReport(this.data[node]);
  }
}

function thrown<T extends object>(answer: T | DriverError): T {
  if (answer instanceof DriverError) throw answer;
  return answer;
}

const silent = (node: string) => new DriverError(node, "Unreachable", "no answer", true);
const turns = (of: Record<string, Turn>) => (node: string) => {
  const turn = of[node] ?? { state: "none" };
  return { turn, handlerInstalled: turn.state === "none" };
};

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
  bench.agents = ["n1", "n2", "n3"].map(agentOn);
});

describe("reports", () => {
  test("of each node with an agent are kept, and go with the agent", async () => {
    bench.agents.push({ ...agentOn("n4"), metadata: { name: "another" } });
    bench.answer = (node) => (node === "n2" ? silent(node) : { kernel: `of ${node}` });
    await bench.run();
    expect(Object.keys(bench.data).sort()).toEqual(["n1", "n2", "n3"]);
    expect(bench.report("n1")).toMatchObject({ time: "2026-01-01T00:00:00.000Z", features: { kernel: "of n1" } });
    expect(bench.report("n2")).toMatchObject({ silent: "no answer" });
    bench.agents = bench.agents.slice(1);
    await bench.run();
    expect(Object.keys(bench.data).sort()).toEqual(["n2", "n3"]);
    expect([...bench.known.keys()].sort()).toEqual(["n2", "n3"]);
  });

  test("are a minute apart, but for agents that are silent, and pods that have changed", async () => {
    expect(await bench.run()).toBe(60_000);
    await bench.run(30_000);
    expect(bench.asked).toEqual([]);
    bench.agents[1] = { ...agentOn("n2"), status: { conditions: [{ type: "Ready", status: "True" }] } };
    await bench.run();
    expect(bench.asked).toEqual(["n2"]);
    bench.answer = (node) => (node === "n3" ? silent(node) : {});
    expect(await bench.run(30_000)).toBe(1_000);
    expect(await bench.run(1_000)).toBe(2_000);
    expect(bench.asked).toEqual(["n3"]);
    await bench.run(2_000);
    expect(await bench.run(4_000)).toBe(5_000);
  });

  test("of a silent agent that was ready come ever later, up to a minute", async () => {
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    bench.agents = [{ ...agentOn("n1"), status }];
    bench.answer = silent;
    const pauses: number[] = [];
    for (let time = 0; pauses.length < 8; time = pauses.at(-1) ?? 0) pauses.push((await bench.run(time)) ?? 0);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });
});

describe("a roll-out", () => {
  const WAITING: Turn = { state: "waiting" };

  test("gives the first node its turn, looks every second, and goes on when it is done", async () => {
    bench.answer = turns({ n1: WAITING, n2: WAITING, n3: WAITING });
    expect(await bench.run()).toBe(1_000);
    expect(bench.given).toEqual(["n1 7"]);
    expect(bench.report("n1")?.features?.turn).toEqual({ state: "preparing" });
    expect(bench.report("n2")?.waits).toBe("node n1 is the first to be prepared");
    bench.answer = turns({ n1: { state: "preparing" }, n2: WAITING, n3: WAITING });
    expect(await bench.run(1_000)).toBe(1_000);
    expect(bench.asked).toEqual(["n1"]);
    bench.answer = turns({ n2: WAITING, n3: WAITING });
    await bench.run(1_000);
    expect(bench.given).toEqual(["n1 7", "n2 7"]);
    expect(bench.report("n2")?.waits).toBeUndefined();
  });

  test("stops at a failure, says so once, and goes on when the next agent there waits again", async () => {
    bench.answer = turns({ n1: { state: "failed", message: "no right" }, n2: WAITING, n3: WAITING });
    expect(await bench.run()).toBe(60_000);
    await bench.run(60_000);
    expect(bench.given).toEqual([]);
    expect(bench.events).toEqual([
      expect.stringMatching(
        /^agent-n1 Warning RollOutStopped: node n1 could not be prepared.*no right.*delete this pod/,
      ),
    ]);
    expect(bench.report("n3")?.waits).toMatch(/stopped, because node n1/);
    const failed = bench.agents.shift();
    await bench.run(1_000);
    expect(bench.given).toEqual([]);
    if (failed) bench.agents.push({ ...failed, metadata: { ...failed.metadata, uid: "new" } });
    bench.answer = (node) => (node === "n1" ? silent(node) : { turn: WAITING, handlerInstalled: false });
    await bench.run(1_000);
    expect(bench.given).toEqual([]);
    bench.answer = turns({ n1: WAITING, n2: WAITING, n3: WAITING });
    await bench.run(1_000);
    expect(bench.given).toEqual(["n1 7"]);
  });

  test("goes on without a failed node whose agent does not come back", async () => {
    bench.answer = turns({ n1: { state: "failed", message: "no right" }, n2: WAITING });
    await bench.run();
    bench.agents.shift();
    await bench.run(60_000);
    expect(bench.given).toEqual([]);
    await bench.run(60_000);
    expect(bench.given).toEqual(["n2 7"]);
  });

  test("stops when an agent is silent for more than a minute while its node is being prepared", async () => {
    bench.answer = turns({ n1: WAITING, n2: WAITING, n3: WAITING });
    await bench.run();
    bench.answer = (node) => (node === "n1" ? silent(node) : { turn: WAITING, handlerInstalled: false });
    await bench.run(30_000);
    expect(bench.events).toEqual([]);
    await bench.run(40_000);
    expect(bench.events).toEqual([expect.stringContaining("its agent has not answered since")]);
    expect(bench.given).toEqual(["n1 7"]);
  });

  test("takes it that a node whose agent does not answer to its turn has begun", async () => {
    bench.answer = turns({ n1: WAITING, n2: WAITING, n3: WAITING });
    bench.prepare = silent;
    await bench.run();
    await bench.run(500);
    expect(bench.given).toEqual(["n1 7"]);
    await bench.run(1_000);
    expect(bench.given).toEqual(["n1 7", "n1 7"]);
  });

  test("passes over an agent that refuses its turn, and one with a move, until they are free", async () => {
    bench.answer = turns({ n1: WAITING, n2: WAITING, n3: WAITING });
    const move = { phase: "Preparing", startTime: "2026-01-01T00:00:00Z", sourceNode: "n2" };
    bench.moves = [{ spec: {}, status: podMigrationStatusSchema.parse(move) } as PodMigration];
    bench.prepare = (node) => new DriverError(node, "WrongState", "move m has not ended on this node", true);
    await bench.run();
    expect(bench.given).toEqual(["n1 7"]);
    bench.prepare = () => ({ state: "preparing" });
    await bench.run(500);
    expect(bench.given).toEqual(["n1 7", "n3 7"]);
    expect(bench.report("n1")?.waits).toBe("move m has not ended on this node");
    expect(bench.report("n2")?.waits).toBe("a move from or to it is under way");
  });
});
