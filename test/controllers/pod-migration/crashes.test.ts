import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DriverError } from "../../../src/checkpointing/driver.ts";
import { KubeError } from "../../../src/kube/client.ts";
import { PODS } from "../../../src/kube/resources.ts";
import { type Fate, Interlude, Lifetime } from "../../support/moving-world/mortal.ts";
import { type OwnerKind, World } from "../../support/moving-world/world.ts";

type Prepare = () => Promise<World>;

/** How often a move that nothing disturbs calls out, twice. */
async function boundariesOf(prepare: Prepare): Promise<Lifetime> {
  const calm = new Lifetime();
  await (await prepare()).toTheEnd(calm);
  return calm;
}

/** Lets something happen at every boundary in turn, each time in a new world. */
async function atEveryBoundary(
  prepare: Prepare,
  fateAt: (boundary: number, world: World) => Fate,
  check: (world: World, where: string) => void | Promise<void>,
): Promise<void> {
  const calm = await boundariesOf(prepare);
  expect(calm.passed).toBeGreaterThan(40);
  for (let boundary = 1; boundary <= calm.passed; boundary++) {
    const world = await prepare();
    const where = `${boundary % 2 ? "before" : "after"} call ${Math.ceil(boundary / 2)} (${calm.trace[Math.ceil(boundary / 2) - 1]})`;
    await world.toTheEnd(fateAt(boundary, world)).catch((error: Error) => expect.fail(`${where}: ${error.message}`));
    await check(world, where);
  }
}

function expectMoved(world: World, where: string): void {
  expect(world.phase, where).toBe("Succeeded");
  expect(world.nodes.accidents, where).toEqual([]);
  expect(world.copyOfTarget, where).toBe("running");
  expect(world.source, where).toBeUndefined();
  expect(world.controllers.jobFailures, where).toBe(0);
  expect(world.target?.metadata.labels?.app, where).toBe("counter");
  expect(world.records, where).toEqual([]);
}

function expectRolledBack(world: World, where: string, phase = "RolledBack"): void {
  expect(world.phase, where).toBe(phase);
  expect(world.nodes.accidents, where).toEqual([]);
  expect(world.copyOfSource, where).toBe("running");
  expect(world.target, where).toBeUndefined();
  expect(world.records, where).toEqual([]);
}

/** A swap that is cut short for long lets a Job make a pod of its own. */
function expectReplacementsRemoved(world: World): void {
  for (const name of world.controllers.replacements) {
    expect(world.kube.peek(PODS, { namespace: "default", name }), name).toBeUndefined();
    expect(world.events.some((event) => event.startsWith(`ReplacementRemoved: pod ${name}`))).toBe(true);
  }
}

const OWNERS: OwnerKind[] = ["none", "ReplicaSet", "Job"];

const failingRestore: Prepare = async () => {
  const world = await World.with();
  world.nodes.failures.set("restore", { reason: "RestoreFailed", retryable: false, times: 99 });
  return world;
};

describe("a controller that dies at any call", () => {
  it.each(OWNERS)("leaves a move that its successor brings to Succeeded; owner: %s", async (owner) => {
    await atEveryBoundary(
      () => World.with(owner),
      (boundary) => new Lifetime(boundary),
      (world, where) => {
        expectMoved(world, where);
        expectReplacementsRemoved(world);
        if (owner === "ReplicaSet") expect(world.controllers.replacements, where).toEqual([]);
      },
    );
  });

  it("leaves a move whose restore fails to be rolled back", async () => {
    await atEveryBoundary(failingRestore, (boundary) => new Lifetime(boundary), expectRolledBack);
  });

  it("may do so again and again", async () => {
    const lives = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lives, fc.constantFrom(...OWNERS), async (dieAt, owner) => {
        const world = await World.with(owner);
        await world.toTheEnd(...dieAt.map((boundary) => new Lifetime(boundary)));
        expectMoved(world, `deaths at ${dieAt}`);
        expectReplacementsRemoved(world);
      }),
      { numRuns: 150 },
    );
  });
});

describe("a call that fails once, or whose answer is lost", () => {
  /** What a broken connection looks like to the caller. */
  function broken(name: string): never {
    if (["get", "list", "create", "patch", "replaceStatus", "delete", "getRaw"].includes(name)) {
      throw new KubeError("Timeout", `${name}: no answer`);
    }
    throw new DriverError("z1", "Unreachable", `${name}: no answer`, true);
  }

  it.each(OWNERS)("is made again, and the move succeeds; owner: %s", async (owner) => {
    await atEveryBoundary(
      () => World.with(owner),
      (boundary) => new Interlude(boundary, broken),
      expectMoved,
    );
  });

  it("does not keep a roll-back from its end", async () => {
    await atEveryBoundary(failingRestore, (boundary) => new Interlude(boundary, broken), expectRolledBack);
  });
});

describe("a leader that is held up at any call while another takes over", () => {
  it.each(OWNERS)("does no harm when it goes on; owner: %s", async (owner) => {
    await atEveryBoundary(
      () => World.with(owner),
      (boundary, world) => new Interlude(boundary, () => world.anotherLeads()),
      async (world, where) => {
        await world.sweep();
        expectMoved(world, where);
      },
    );
  });

  it("does not freeze a source that was rolled back", async () => {
    await atEveryBoundary(
      failingRestore,
      (boundary, world) => new Interlude(boundary, () => world.anotherLeads()),
      async (world, where) => {
        await world.sweep();
        expectRolledBack(world, where);
      },
    );
  });
});

describe("a cancellation at any call", () => {
  it.each([
    ["spec.cancel", (world: World) => world.editMove(({ spec }) => Object.assign(spec, { cancel: true }))],
    ["deletion", (world: World) => world.deleteMove()],
  ])("by %s undoes the move before the commit, and has no effect after it", async (_, withdraw) => {
    await atEveryBoundary(
      () => World.with(),
      (boundary, world) => new Interlude(boundary, () => withdraw(world)),
      (world, where) => {
        expect(world.nodes.accidents, where).toEqual([]);
        expect(world.records, where).toEqual([]);
        expect(
          [world.copyOfSource, world.copyOfTarget].filter((copy) => copy === "running"),
          where,
        ).toHaveLength(1);
        if (world.copyOfSource === "running") expect(world.target, where).toBeUndefined();
        if (world.move) expect(world.phase, where).toBe(world.copyOfSource === "running" ? "Cancelled" : "Succeeded");
      },
    );
  });
});

describe("an API server that goes away at any call, for a minute", () => {
  /** A liveness probe of Kubernetes' defaults (10 s × 3) fails after 21 s. */
  const LONGEST_FREEZE_SECONDS = 12;

  it.each(OWNERS)("freezes no pod for long and loses none; owner: %s", async (owner) => {
    const calm = await boundariesOf(() => World.with(owner));
    for (let boundary = 1; boundary <= calm.passed; boundary++) {
      const world = await World.with(owner);
      const away = new Interlude(boundary, () => {
        world.apiAway = "refused";
      });
      let over = false;
      const end = world.toTheEnd(away).finally(() => {
        over = true;
      });
      const where = `away from boundary ${boundary} on (${calm.trace[Math.ceil(boundary / 2) - 1]})`;
      for (let turn = 0; turn < 200 && !world.apiAway && !world.ended; turn++) await world.pass(0.5);
      await world.pass(LONGEST_FREEZE_SECONDS);
      expect([world.copyOfSource, world.copyOfTarget], where).toContain("running");
      await world.pass(48);
      world.apiAway = undefined;
      for (let second = 0; second < 120 && !over; second++) await world.pass(1);
      await end;
      expect(world.nodes.accidents, where).toEqual([]);
      expect(
        [world.copyOfSource, world.copyOfTarget].filter((copy) => copy === "running"),
        where,
      ).toHaveLength(1);
      expect(world.records, where).toEqual([]);
    }
  });
});
