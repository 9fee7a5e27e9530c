/** Moves worked out by hand: a node has 100 bytes; a move takes 4 s, and half a second for each byte that it sends. */
import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../../src/simulator/run-record.ts";
import { EXACT, flat, growing, node, pod, policy, run, type SpecInput, scenario, story, trace } from "./world.ts";

const short = (more: SpecInput = {}) => policy({ pressure: { strategy: "Threshold", freeBelow: "20%" }, ...more });
const MOVES = ["MoveStarted", "MoveEnded"] as const;
const moves = (record: RunRecord) => story(record, [...MOVES]);
const worked = ({ pods }: RunRecord, name: string) => pods.find(({ pod }) => pod === `default/${name}`)?.workedSeconds;

/** z1 has 85 used: the 45 go to z2 at the first evaluation. */
const crowded = (conditions = {}, more = {}) =>
  scenario(
    [node("z1"), node("z2")],
    [pod("a", flat(45), { node: "z1", requestBytes: 30 }), pod("b", flat(40), { node: "z1", requestBytes: 30 })],
    { endSeconds: 100, conditions, ...more },
  );

describe("a move that fails", () => {
  const fails = { moves: { ...EXACT.moves, failureRate: 1 } };

  it("is rolled back when its restore would have ended, and the pod goes on on its source", () => {
    const record = run(crowded(fails), [short()]);
    // 4 s, then 22.5 s frozen.
    expect(moves(record)).toEqual(["60 MoveStarted a z1→z2", "86.5 MoveEnded a z1→z2 RolledBack"]);
    expect(worked(record, "a")).toBeCloseTo(100 - 22.5, 9);
  });

  it("leaves nothing on the target", () => {
    const record = run(crowded(fails), [short()], { timeline: { everySeconds: 1 } });
    const [source, target] = record.nodes.map(({ usedBytes }) => usedBytes ?? []);
    expect([target?.[85], target?.[87], source?.[87]]).toEqual([90, 0, 85]);
  });

  it("is not tried again before the pod has rested", () => {
    const record = run(crowded(fails, { endSeconds: 239 }), [short()]);
    // Failed at 86.5 s: a rests for 60 s, so that at 120 s it is b's turn, which fails at 144 s.
    expect(moves(record).filter((line) => line.includes("MoveStarted"))).toEqual([
      "60 MoveStarted a z1→z2",
      "120 MoveStarted b z1→z2",
      "180 MoveStarted a z1→z2",
    ]);
  });
});

describe("a move that takes too long", () => {
  it("is rolled back after the policy's timeout", () => {
    const record = run(crowded(), [short({ migration: { timeout: "10s" } })]);
    expect(moves(record)).toEqual(["60 MoveStarted a z1→z2", "70 MoveEnded a z1→z2 RolledBack"]);
    expect(worked(record, "a")).toBeCloseTo(94, 9);
  });
});

describe("a pod that ends while it is prepared for a move", () => {
  it("makes the move pointless: the target gets its room back", () => {
    const pods = [pod("a", flat(45), { node: "z1", durationSeconds: 62 }), pod("b", flat(40), { node: "z1" })];
    const record = run(scenario([node("z1"), node("z2")], pods, { endSeconds: 80 }), [short()], {
      timeline: { everySeconds: 1 },
    });
    expect(story(record)).toEqual(["60 MoveStarted a z1→z2", "62 MoveEnded a z1→z2 RolledBack", "62 Finished a"]);
    expect(record.nodes[1]?.usedBytes?.[63]).toBe(0);
  });

  it("finishes on the target when it was frozen before", () => {
    const pods = [pod("a", flat(45), { node: "z1", durationSeconds: 70 }), pod("b", flat(40), { node: "z1" })];
    const record = run(scenario([node("z1"), node("z2")], pods, { endSeconds: 120 }), [short()]);
    // Frozen at 64 s with 6 s of work left, until 86.5 s.
    expect(story(record)).toEqual(["60 MoveStarted a z1→z2", "86.5 MoveEnded a z1→z2 Succeeded", "92.5 Finished a"]);
    expect(record.events.at(-1)).toMatchObject({ node: "z2" });
  });
});

describe("a pod that is killed while it moves", () => {
  it("loses its work, and the move is lost with it", () => {
    // At 60 s 85 are used; b jumps at 70 s: 45 + 60. Who asked for nothing is the kernel's choice by size: b and a have no request.
    const pods = [
      pod("a", flat(45), { node: "z1" }),
      pod("b", trace([0, 40], [69, 40], [70, 60]), { node: "z1", requestBytes: 60, limitBytes: 60 }),
    ];
    const record = run(scenario([node("z1"), node("z2")], pods, { endSeconds: 75 }), [short()], {
      timeline: { everySeconds: 1 },
    });
    expect(story(record)).toEqual([
      "60 MoveStarted a z1→z2",
      "70 MoveEnded a z1→z2 Lost",
      "70 Killed a NodeOutOfMemory",
    ]);
    // Frozen since 64 s.
    expect(record.events.at(-1)).toMatchObject({ lost: { seconds: 64, byteSeconds: 64 * 45 } });
    expect(record.nodes.map(({ usedBytes }) => usedBytes?.[71])).toEqual([60, 0]);
  });
});

describe("a target that runs out of memory", () => {
  it("loses what is being restored there, while the pod goes on on its source", () => {
    // 20 are used on z2 when the move is planned; at 75 s they become 30, beside twice 40.
    const pods = [
      pod("a", flat(40), { node: "z1" }),
      pod("b", flat(40), { node: "z1" }),
      pod("c", flat(5), { node: "z1" }),
      pod("d", trace([0, 10], [74, 10], [75, 30]), { node: "z2", requestBytes: 30, limitBytes: 30 }),
    ];
    const record = run(scenario([node("z1"), node("z2")], pods, { endSeconds: 100 }), [short()]);
    expect(story(record)).toEqual(["60 MoveStarted a z1→z2", "80 MoveEnded a z1→z2 Lost"]);
    expect(worked(record, "a")).toBeCloseTo(100 - 16, 9);
  });
});

describe("moves at the same time", () => {
  const pacing = { strategy: "Concurrent", maxMovesPerEvaluation: 2, concurrent: { maxPerNode: 2 } } as const;
  const two = (nodes: string[]) =>
    scenario(
      nodes.map((name) => node(name)),
      [pod("a", flat(40), { node: "z1" }), pod("b", flat(20), { node: "z1" }), pod("c", flat(38), { node: "z1" })],
      { endSeconds: 200 },
    );

  it("share the link of their source", () => {
    // 98 used, 78 wanted to leave: 40 to one, 38 to the other. Both want 19 or 20 s of the link from 64 s on.
    const record = run(two(["z1", "z2", "z3"]), [
      short({ pacing, pressure: { freeBelow: "60%" }, placement: { margin: "0%" } }),
    ]);
    // The 38 are sent when each has had 19 s: at 64 + 38; the 40 then lack 1 s.
    expect(moves(record)).toEqual([
      "60 MoveStarted a z1→z2",
      "60 MoveStarted c z1→z3",
      "102 MoveEnded c z1→z3 Succeeded",
      "103 MoveEnded a z1→z2 Succeeded",
    ]);
  });

  it("draws its noise from the pod and the count of its moves alone", () => {
    const noisy = { moves: { ...EXACT.moves, noise: 0.3 } };
    const took = (record: RunRecord) =>
      record.events.flatMap((event) => (event.kind === "MoveEnded" ? [event.tookSeconds] : []));
    const alone = run(crowded(noisy), [short()], { seed: 5 });
    const others = { ...crowded(noisy), pods: [...crowded(noisy).pods, pod("z", flat(1), { node: "z1" })] };
    expect(took(alone)).toHaveLength(1);
    expect(took(run(others, [short()], { seed: 5 }))).toEqual(took(alone));
    expect(took(run(crowded(noisy), [short()], { seed: 6 }))).not.toEqual(took(alone));
  });
});

describe("what planning is told of moves", () => {
  it("keeps a pod that was moved where it is for as long as the policy's cooldown says", () => {
    // At 90 s z2, where a has come, is short, and z1 has room again.
    const pods = [
      pod("a", growing(45, 1), { node: "z1" }),
      pod("b", trace([0, 40], [89, 40], [90, 5]), { node: "z1" }),
      pod("c", trace([0, 5], [89, 5], [90, 40]), { node: "z2" }),
    ];
    const back = (cooldown: string) =>
      moves(
        run(scenario([node("z1"), node("z2")], pods, { endSeconds: 200 }), [
          short({ eligibility: { cooldown }, placement: { margin: "0%", noReturnFor: "0s" } }),
        ]),
      ).filter((line) => line.includes("MoveStarted"));
    expect(back("0s")).toContain("120 MoveStarted a z2→z1");
    expect(back("10m")).not.toContain("120 MoveStarted a z2→z1");
  });
});
