import { describe, expect, it } from "vitest";
import { AgentError } from "../../../src/agent/agent-error.ts";
import { DriverError } from "../../../src/checkpointing/driver.ts";
import { sleep } from "../../../src/kube/clock.ts";
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import { type FreezeCosts, learnFreezeCosts } from "../../../src/planning/cost/freeze-costs.ts";
import type { MoveSnapshot } from "../../../src/planning/snapshot.ts";
import { SimulatedLink } from "../../support/moving-world/simulated-link.ts";
import { FACTS } from "../../support/moving-world/simulated-nodes.ts";
import { World } from "../../support/moving-world/world.ts";

const GB = 1e9;
const MB = 1e6;
const ROOM = { stagingBudgetBytes: 1000 * GB, stagingFreeBytes: 1000 * GB };
/** Forgives 21 s. */
const withProbe = (pod: Pod) =>
  Object.assign(pod.spec.containers[0] ?? {}, { livenessProbe: { httpGet: { port: 80 } } });
const without = () => {};

/** The rate that finished moves of 1 to 20 GB would have taught. */
function learnt(bytesPerSecond: number): FreezeCosts["expect"] {
  const moves = Array.from({ length: 20 }, (_, index): MoveSnapshot => {
    const bytes = (1 + index) * GB;
    const freezeMilliseconds = 500 + (1000 * bytes) / bytesPerSecond;
    const names = { namespace: "default", name: `m${index}`, pod: "p", from: "z1", to: "z2" };
    return { ...names, memoryBytes: bytes, phase: "Succeeded", finishedAtMs: index, freezeMilliseconds };
  });
  return learnFreezeCosts(moves).expect;
}

async function worldWith(memoryBytes: number, edit: (pod: Pod) => void, timeout = "10m"): Promise<World> {
  const world = await World.with("none", edit, { timeout });
  world.nodes.facts = { ...FACTS, memoryBytes };
  for (const node of ["z1", "z2"]) world.nodes.overrides.set(node, ROOM);
  return world;
}

interface Seen {
  /** The longest that the source stood frozen. */
  frozenMs: number;
  /** For how long it had when the target's gate was removed; undefined: it was not frozen then. */
  ungatedMs: number | undefined;
}

/** Runs the move to its end while time passes; the kubelet kills a source that is frozen for longer than its probe forgives. */
async function live(world: World, forgivesMs = Number.POSITIVE_INFINITY): Promise<Seen> {
  const end = world.toTheEnd();
  const seen: Seen = { frozenMs: 0, ungatedMs: undefined };
  let sinceMs: number | undefined;
  for (let step = 0; step < 20_000 && !world.ended; step++) {
    await new Promise((resolve) => setImmediate(resolve));
    world.clock.advance(100);
    const frozen = world.copyOfSource === "frozen";
    sinceMs = frozen ? (sinceMs ?? world.clock.now()) : undefined;
    const frozenMs = sinceMs === undefined ? 0 : world.clock.now() - sinceMs;
    seen.frozenMs = Math.max(seen.frozenMs, frozenMs);
    if (frozen && world.target && world.target.spec.schedulingGates?.length === 0) seen.ungatedMs ??= frozenMs;
    if (frozenMs > forgivesMs) world.nodes.set(world.source?.metadata.uid ?? "", "dead");
  }
  await end;
  return seen;
}

function expectSourceRuns(world: World): void {
  expect(world.nodes.accidents).toEqual([]);
  expect(world.copyOfSource).toBe("running");
  expect(world.kube.all(PODS)).toHaveLength(1);
}

describe("a source with a liveness probe, frozen over a link that turns out to be slow, runs again in time when", () => {
  it("its transfer shows that it cannot end in time: early", async () => {
    const world = await worldWith(4 * GB, withProbe);
    world.nodes.link = new SimulatedLink(world.clock, (ms) => (ms === 0 ? 1000 * MB : 100 * MB));
    const { frozenMs } = await live(world, 21_000);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LivenessWouldFail" });
    expect(world.move?.status?.message).toContain("failureThreshold");
    expect(frozenMs).toBeLessThan(8_000);
    expectSourceRuns(world);
  });

  it("nobody tells how far its transfer is: at the last moment", async () => {
    const world = await worldWith(4 * GB, withProbe);
    world.nodes.link = new SimulatedLink(world.clock, (ms) => (ms === 0 ? 1000 * MB : 100 * MB));
    world.nodes.link.tells = false;
    const { frozenMs } = await live(world, 21_000);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LivenessWouldFail" });
    expect(frozenMs).toBeGreaterThan(14_000);
    expectSourceRuns(world);
  });

  it("its dump is tried over and over", async () => {
    const world = await worldWith(1 * GB, withProbe);
    world.nodes.failures.set("dump", { reason: "SendFailed", retryable: true, times: 1_000 });
    await live(world, 21_000);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LivenessWouldFail" });
    expectSourceRuns(world);
  });

  it.each(["moves", "receive"] as const)(
    "the target's node is cut off, and its agent never answers %s",
    async (call) => {
      const world = await worldWith(1 * GB, withProbe);
      const broken = () => Promise.reject(new AgentError("SendFailed", "the link is cut", { retryable: true }));
      world.nodes.link = Object.assign(new SimulatedLink(world.clock, 100 * MB), { send: broken });
      const asked = world.nodes[call].bind(world.nodes) as (node: string, ...rest: unknown[]) => Promise<unknown>;
      const cutOff = async (node: string) => {
        await sleep(world.clock, 15_000);
        throw new DriverError(node, "Unreachable", "no answer", true);
      };
      const answer = (node: string, ...rest: unknown[]) =>
        node === "z2" && world.copyOfSource === "frozen" ? cutOff(node) : asked(node, ...rest);
      Object.assign(world.nodes, { [call]: answer });
      await live(world, 21_000);
      expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LivenessWouldFail" });
      expectSourceRuns(world);
    },
  );

  it("the copy is not held for too long", async () => {
    const world = await worldWith(1 * GB, withProbe);
    Object.assign(world.nodes, { restore: () => new Promise(() => {}) });
    await live(world, 21_000);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LivenessWouldFail" });
    expectSourceRuns(world);
  });

  it("and moves when the transfer ends in time", async () => {
    const world = await worldWith(1.2 * GB, withProbe);
    world.nodes.link = new SimulatedLink(world.clock, 100 * MB);
    const { frozenMs } = await live(world, 21_000);
    expect(world.phase).toBe("Succeeded");
    expect(frozenMs).toBeGreaterThan(10_000);
    expect(world.nodes.accidents).toEqual([]);
  });
});

describe("before the freeze, a link is measured and found too slow for", () => {
  it("the liveness probe", async () => {
    const world = await worldWith(4 * GB, withProbe);
    world.nodes.link = new SimulatedLink(world.clock, 20 * MB);
    expect((await live(world)).frozenMs).toBe(0);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LinkTooSlow" });
    expect(world.move?.status?.message).toMatch(
      /carries 19.07Mi\/s.*would freeze the pod for 200.0 s.*failureThreshold/,
    );
    expectSourceRuns(world);
  });

  it("spec.timeout", async () => {
    const world = await worldWith(40 * GB, without);
    world.nodes.link = new SimulatedLink(world.clock, 20 * MB);
    expect((await live(world)).frozenMs).toBe(0);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "LinkTooSlow" });
    expect(world.move?.status?.message).toContain("a higher spec.timeout");
    expectSourceRuns(world);
  });

  it("nothing: a small pod's move does without", async () => {
    const world = await worldWith(0.1 * GB, withProbe);
    world.nodes.link = new SimulatedLink(world.clock, 100 * MB);
    await live(world);
    expect(world.nodes.link.measured).toBe(0);
    expect(world.phase).toBe("Succeeded");
  });
});

describe("a transfer that makes progress", () => {
  it("is not cut off by limits that follow from a wrong prediction", async () => {
    const world = await worldWith(10 * GB, without);
    world.expectFreeze = learnt(1000 * MB);
    world.nodes.link = new SimulatedLink(world.clock, 40 * MB);
    const { frozenMs } = await live(world);
    expect(frozenMs).toBeGreaterThan(240_000);
    expect(world.move?.status).toMatchObject({ phase: "Succeeded", freeze: { basis: "Progress" } });
    expect(world.nodes.accidents).toEqual([]);
  });

  it("is given up as soon as it shows that spec.timeout will cut it off", async () => {
    const world = await worldWith(10 * GB, without, "2m");
    world.expectFreeze = learnt(1000 * MB);
    world.nodes.link = new SimulatedLink(world.clock, 40 * MB);
    const { frozenMs } = await live(world);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TimedOut" });
    expect(world.move?.status?.message).toContain("spec.timeout");
    expect(frozenMs).toBeLessThan(15_000);
    expectSourceRuns(world);
  });

  it("is followed in letting the target start: 20 s before its end", async () => {
    const world = await worldWith(60 * GB, without);
    world.expectFreeze = learnt(400 * MB);
    world.nodes.link = new SimulatedLink(world.clock, 200 * MB);
    const { ungatedMs } = await live(world);
    expect(world.phase).toBe("Succeeded");
    expect(ungatedMs).toBeGreaterThan(275_000);
    expect(ungatedMs).toBeLessThan(285_000);
  });

  it("is given up when nothing more arrives for a minute", async () => {
    const world = await worldWith(10 * GB, without);
    world.expectFreeze = learnt(100 * MB);
    world.nodes.link = new SimulatedLink(world.clock, (ms) => (ms < 20_000 ? 100 * MB : 0));
    const { frozenMs } = await live(world);
    expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: "TransferStalled" });
    expect(frozenMs).toBeGreaterThan(75_000);
    expect(frozenMs).toBeLessThan(90_000);
    expectSourceRuns(world);
  });
});
