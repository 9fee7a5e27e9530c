import { describe, expect, it } from "vitest";
import { outcomeLine } from "../../../src/cli/move-progress.ts";
import { Lifetime } from "../../support/moving-world/mortal.ts";
import { type OwnerKind, World } from "../../support/moving-world/world.ts";

/** So long the pod stands still before its move is given up. */
const STILL_MS = 700;

/** When the phase has been written, this much time passes, once. */
function passIn(world: World, phase: string, act: () => void = () => {}): void {
  let done = false;
  world.kube.onStatus = (seen) => {
    if (done || seen !== phase) return;
    done = true;
    world.clock.advance(STILL_MS);
    act();
  };
}

const failOnce = { retryable: false, times: 1 };
const cancel = (world: World) => world.editMove(({ spec }) => Object.assign(spec, { cancel: true }));

describe("the freeze of a move that was rolled back", () => {
  it.each<[string, (world: World) => void]>([
    [
      "because the restore failed",
      (world) => {
        world.nodes.failures.set("restore", { reason: "RestoreFailed", ...failOnce });
        passIn(world, "Restoring");
      },
    ],
    [
      "because the dump failed when the pod was frozen already",
      (world) => {
        world.nodes.failures.set("dump", { reason: "DumpFailed", ...failOnce, after: true });
        passIn(world, "RollingBack");
      },
    ],
    ["because it was cancelled while it was frozen", (world) => passIn(world, "Restoring", () => cancel(world))],
  ])("%s is on record", async (_why, prepare) => {
    const world = await World.with();
    prepare(world);
    await world.toTheEnd();
    expect(["RolledBack", "Cancelled"]).toContain(world.phase);
    expect(world.move?.status?.freezeMilliseconds).toBe(STILL_MS);
    expect(Date.parse(world.move?.status?.frozenAt ?? "")).toBeLessThanOrEqual(world.clock.now() - STILL_MS);
  });

  it.each<OwnerKind>(["none", "ReplicaSet", "Job"])(
    "shows in its event and in what headroom prints, owner: %s",
    async (owner) => {
      const world = await World.with(owner);
      world.nodes.failures.set("restore", { reason: "RestoreFailed", ...failOnce });
      passIn(world, "Restoring");
      await world.toTheEnd();
      expect(world.events.filter((event) => /^(Move)?RolledBack: .*, frozen for 0\.7 s$/.test(event))).toHaveLength(2);
      expect(outcomeLine(world.move ?? expect.fail("it is gone"))).toMatch(
        /^default\/counter not moved \(RolledBack\), frozen for 0\.7 s: RestoreFailed: /,
      );
    },
  );

  it("is what the source's node saw, wherever the controller dies", async () => {
    for (let dieAt = 1; dieAt <= 90; dieAt++) {
      const world = await World.with();
      world.nodes.failures.set("restore", { reason: "RestoreFailed", retryable: false, times: 10 });
      let thawedAtMs: number | undefined;
      const set = world.nodes.set.bind(world.nodes);
      let frozenAtMs = 0;
      world.nodes.set = (uid, state) => {
        if (state === "frozen") frozenAtMs = world.clock.now();
        if (state === "running") thawedAtMs ??= world.clock.now();
        set(uid, state);
      };
      passIn(world, "Restoring");
      await world.toTheEnd(new Lifetime(dieAt));
      expect(world.phase).toBe("RolledBack");
      expect([dieAt, world.move?.status?.freezeMilliseconds]).toEqual([dieAt, (thawedAtMs ?? 0) - frozenAtMs]);
    }
  });

  it("is none when the pod never was frozen", async () => {
    const world = await World.with();
    passIn(world, "Preparing", () => cancel(world));
    await world.toTheEnd();
    expect(world.phase).toBe("Cancelled");
    expect(world.move?.status).not.toHaveProperty("freezeMilliseconds");
    expect(world.move?.status).not.toHaveProperty("frozenAt");
    expect(outcomeLine(world.move ?? expect.fail("it is gone"))).not.toMatch(/frozen for/);
  });

  it("is none when the agent had not come to freeze it", async () => {
    const world = await World.with();
    world.nodes.failures.set("dump", { reason: "DumpFailed", ...failOnce });
    passIn(world, "RollingBack");
    await world.toTheEnd();
    expect(world.phase).toBe("RolledBack");
    expect(world.move?.status).not.toHaveProperty("freezeMilliseconds");
  });
});

it.each([
  ["dump", "NotCarried", "NotCarried"],
  ["restore", "NotCarried", "NotCarried"],
  ["dump", "DumpFailed", "DumpFailed"],
  ["restore", "RestoreFailed", "RestoreFailed"],
] as const)("a %s that fails as %s rolls the move back with reason %s", async (step, reason, expected) => {
  const world = await World.with();
  world.nodes.failures.set(step, { reason, ...failOnce });
  await world.toTheEnd();
  expect(world.move?.status).toMatchObject({ phase: "RolledBack", reason: expected });
});

it("the freeze of a move that succeeded lasts from the pause to the release, however late the controller hears of it", async () => {
  const world = await World.with();
  passIn(world, "Restoring");
  const release = world.nodes.release.bind(world.nodes);
  world.nodes.release = async (...args) => {
    const answer = await release(...args);
    world.clock.advance(5_000);
    return answer;
  };
  await world.toTheEnd();
  expect(world.phase).toBe("Succeeded");
  expect(world.move?.status?.freezeMilliseconds).toBe(STILL_MS);
});
