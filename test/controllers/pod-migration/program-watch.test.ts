import { describe, expect, it } from "vitest";
import { outcomeLine } from "../../../src/cli/move-progress.ts";
import { failureIn } from "../../../src/controllers/pod-migration/program-watch.ts";
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import { Lifetime } from "../../support/moving-world/mortal.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";
import { World } from "../../support/moving-world/world.ts";

interface Ending {
  exitCode: number;
  reason?: string;
  /** Seconds after the release. */
  after: number;
}

const RELEASED_MS = Date.parse("2026-01-01T00:10:00.400Z");
const atSecond = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
const terminated = ({ exitCode, reason = "Error", after }: Ending, releasedMs: number) => ({
  exitCode,
  reason,
  finishedAt: atSecond(releasedMs + after * 1000),
});

/** What the kubelet reports of a container that has ended; `again`: it runs a new one. */
function withEnd(pod: Pod, ending: Ending, releasedMs: number, again: boolean): void {
  const ended = { terminated: terminated(ending, releasedMs) };
  const running = { running: { startedAt: ended.terminated.finishedAt } };
  const [first] = sourcePod().status?.containerStatuses ?? [];
  if (first === undefined) throw new Error("the sample pod has no container");
  const states = again ? { state: running, lastState: ended, restartCount: 1 } : { state: ended };
  pod.status = { ...pod.status, containerStatuses: [{ ...first, ...states }] };
}

function podThat(ending: Ending, again = true, edit: (pod: Pod) => void = () => {}): Pod {
  const pod = sourcePod();
  withEnd(pod, ending, RELEASED_MS, again);
  edit(pod);
  return pod;
}

const ready = (atMs: number) => [{ type: "Ready", status: "False", lastTransitionTime: atSecond(atMs) }];
const evicted = (after: number) => (pod: Pod) => {
  const conditions = ready(RELEASED_MS + after * 1000);
  pod.status = { phase: "Failed", reason: "Evicted", message: "the node was low on memory", conditions };
};

describe("a program", () => {
  it.each<[string, Pod, string]>([
    ["that failed and was started again", podThat({ exitCode: 1, after: 5 }), "ended with exit code 1 5 s after"],
    ["that failed and stays ended", podThat({ exitCode: 1, after: 5 }, false), "ended with exit code 1 5 s after"],
    ["that failed in the second of its release", podThat({ exitCode: 3, after: 0 }), "exit code 3 0 s after"],
    ["that failed in the last second", podThat({ exitCode: 1, after: 59 }), "ended with exit code 1 59 s after"],
    ["that was killed by a signal", podThat({ exitCode: 141, after: 9 }), "exit code 141 (SIGPIPE) 9 s"],
    [
      "that had not enough memory",
      podThat({ exitCode: 137, reason: "OOMKilled", after: 9 }),
      "137 (OOMKilled, SIGKILL)",
    ],
    [
      "whose pod was evicted",
      podThat({ exitCode: 0, after: 9 }, false, evicted(8)),
      "(Evicted: the node was low on memory) 8 s",
    ],
  ])("%s does not survive its move", (_what, pod, words) => {
    expect(failureIn(pod, RELEASED_MS)).toContain(words);
  });

  it.each<[string, Pod]>([
    ["runs", sourcePod()],
    ["failed after more than a minute", podThat({ exitCode: 1, after: 61 })],
    ["ended with exit code 0", podThat({ exitCode: 0, reason: "Completed", after: 5 }, false)],
    ["ended with exit code 0 and was started again", podThat({ exitCode: 0, reason: "Completed", after: 5 })],
    ["was deleted with its pod", podThat({ exitCode: 143, after: 5 }, false, deleted)],
    ["could not be created at first", podThat({ exitCode: 128, reason: "StartError", after: -20 })],
    ["was evicted after more than a minute", podThat({ exitCode: 0, after: 80 }, false, evicted(80))],
  ])("that %s does", (_what, pod) => {
    expect(failureIn(pod, RELEASED_MS)).toBeUndefined();
  });
});

function deleted(pod: Pod): void {
  pod.metadata.deletionTimestamp = "2026-01-01T00:10:05Z";
}

const targetName = (world: World) => ({ namespace: "default", name: world.target?.metadata.name ?? "?" });

function programEnds(world: World, ending: Ending): void {
  const releasedMs = Date.parse(world.move?.status?.releasedAt ?? "");
  world.kube.change(PODS, targetName(world), (pod) => withEnd(pod, ending, releasedMs, true));
}

/** The controller's clock, from the release on. */
function passUntil(world: World, seconds: number): void {
  const dueMs = Date.parse(world.move?.status?.releasedAt ?? "") + seconds * 1000;
  world.clock.advance(Math.max(0, dueMs - world.clock.now()));
}

const verdict = (world: World) => [world.phase, world.move?.status?.reason];

describe("a move whose program", () => {
  it.each<[string, Ending, string]>([
    ["fails after 5 s", { exitCode: 1, after: 5 }, "ProgramFailed"],
    ["fails after 59 s", { exitCode: 1, after: 59 }, "ProgramFailed"],
    ["fails after 61 s", { exitCode: 1, after: 61 }, "Moved"],
    ["is done after 5 s", { exitCode: 0, after: 5 }, "Moved"],
  ])("%s has Succeeded with reason %s", async (_what, ending, reason) => {
    const world = await World.with();
    await world.toTheEnd();
    expect(verdict(world)).toEqual(["Succeeded", "Moved"]);
    passUntil(world, ending.after);
    programEnds(world, ending);
    await world.run(new Lifetime());
    expect(verdict(world)).toEqual(["Succeeded", reason]);
    expect(world.events.filter((event) => event.startsWith("ProgramFailed"))).toHaveLength(reason === "Moved" ? 0 : 2);
  });

  it("failed says how, and what may be the cause", async () => {
    const world = await World.with("none", () => {}, { tcp: "Close" });
    await world.toTheEnd();
    passUntil(world, 4);
    programEnds(world, { exitCode: 141, after: 4 });
    await world.run(new Lifetime());
    const { move } = world;
    expect(move?.status?.message).toBe(
      "the pod was moved to node z2, but its program ended with exit code 141 (SIGPIPE) 4 s after its release; " +
        "the move had closed its TCP connections (spec.tcp: Close)",
    );
    expect(move?.status?.conditions.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ["Committed", "True", "Restored"],
      ["Released", "True", "Released"],
      ["Succeeded", "True", "Moved"],
      ["Complete", "True", "Moved"],
      ["Healthy", "False", "ProgramFailed"],
    ]);
    expect(outcomeLine(move ?? expect.fail("it is gone"))).toMatch(
      /^default\/counter moved from z1 to z2: .*, frozen for [\d.]+ s; ProgramFailed: the pod was moved to node z2, but/,
    );
  });

  it("fails again and again before the hand-over is done ends with that reason", async () => {
    const world = await World.with("ReplicaSet");
    world.kubelets.options.readyDelayMs = 150_000;
    const ends = [20, 100];
    world.beforeRun = () => {
      if (world.move?.status?.releasedAt === undefined) return;
      const after = ends.shift();
      if (after === undefined) return;
      passUntil(world, after);
      programEnds(world, { exitCode: 1, after });
    };
    await world.toTheEnd();
    expect(verdict(world)).toEqual(["Succeeded", "ProgramFailed"]);
    expect(world.events.filter((event) => event.startsWith("Succeeded"))).toEqual([
      expect.stringMatching(
        /^Succeeded: ProgramFailed: the pod was moved to node z2, but .* 20 s after its release, frozen/,
      ),
    ]);
    expect(world.nodes.accidents).toEqual([]);
  });

  it("is looked at again when its minute is over, not only when its pod changes", async () => {
    const world = await World.with();
    await world.toTheEnd();
    programEnds(world, { exitCode: 1, after: 30 });
    const releasedMs = Date.parse(world.move?.status?.releasedAt ?? "");
    const pod = structuredClone(world.target);
    world.kube.change(PODS, targetName(world), (found) => delete found.status?.containerStatuses);
    const life = new Lifetime();
    await world.run(life);
    expect(verdict(world)).toEqual(["Succeeded", "Moved"]);
    expect(world.clock.now() - releasedMs).toBeGreaterThanOrEqual(75_000);
    world.kube.change(PODS, targetName(world), (found) => Object.assign(found, { status: pod?.status }));
    await world.run(life);
    expect(verdict(world)).toEqual(["Succeeded", "ProgramFailed"]);
  });

  it("failed while no controller ran is found by the next one", async () => {
    const world = await World.with();
    await world.toTheEnd();
    programEnds(world, { exitCode: 1, after: 30 });
    world.epoch++;
    passUntil(world, 300);
    await world.run(new Lifetime());
    expect(verdict(world)).toEqual(["Succeeded", "ProgramFailed"]);
  });

  it("failed is on record wherever the controller dies", async () => {
    for (let dieAt = 1; dieAt <= 12; dieAt++) {
      const world = await World.with();
      await world.toTheEnd();
      passUntil(world, 10);
      programEnds(world, { exitCode: 1, after: 10 });
      await world.run(new Lifetime(dieAt));
      await world.run(new Lifetime());
      expect([dieAt, ...verdict(world)]).toEqual([dieAt, "Succeeded", "ProgramFailed"]);
      expect(world.move?.status?.conditions.filter(({ type }) => type === "Healthy")).toHaveLength(1);
    }
  });

  it("is long released is not asked about any more", async () => {
    const world = await World.with();
    await world.toTheEnd();
    passUntil(world, 601);
    const life = new Lifetime();
    await world.run(life);
    expect(life.trace).toEqual(["get"]);
  });

  it.each<[string, (world: World) => void]>([
    ["its pod is deleted", (world) => void world.kube.delete(PODS, targetName(world))],
    ["its pod is gone", (world) => world.kube.tearOut(PODS, targetName(world))],
  ])("ends when %s keeps its success", async (_what, happen) => {
    const world = await World.with();
    await world.toTheEnd();
    passUntil(world, 5);
    programEnds(world, { exitCode: 143, after: 5 });
    happen(world);
    await world.run(new Lifetime());
    expect(verdict(world)).toEqual(["Succeeded", "Moved"]);
  });

  it("fails when its PodMigration is deleted leaves nothing behind", async () => {
    const world = await World.with();
    await world.toTheEnd();
    programEnds(world, { exitCode: 1, after: 5 });
    await world.deleteMove();
    await world.run(new Lifetime());
    expect(world.move).toBeUndefined();
  });
});
