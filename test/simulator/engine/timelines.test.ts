/** Timelines worked out by hand. A node has 100 bytes, so a byte is a percent. */
import { describe, expect, it } from "vitest";
import { flat, growing, node, pod, policy, run, scenario, story, trace } from "./world.ts";

describe("a pod that outgrows its node", () => {
  // 70 and 12 a minute more: 100 after 150 s, more than that at the tick of 160 s.
  const outgrows = scenario([node("z1")], [pod("a", growing(70, 12))], { endSeconds: 340 });

  it("is killed at the first tick above capacity, and starts again from the beginning of its work", () => {
    expect(story(run(outgrows))).toEqual(["160 Killed a NodeOutOfMemory", "330 Killed a NodeOutOfMemory"]);
  });

  it("loses the work that it had done, and the memory that it had held", () => {
    const [killed] = run(outgrows).events.filter((event) => event.kind === "Killed");
    // From 70 to 102 along a straight line.
    expect(killed?.lost).toEqual({ seconds: 160, byteSeconds: expect.closeTo(160 * 86, 6) });
  });

  it("has nothing to show for it at the end", () => {
    const { pods } = run(scenario([node("z1")], [pod("a", growing(70, 12))], { endSeconds: 300 }));
    expect(pods[0]?.workedSeconds).toBe(130);
    expect(pods[0]?.finishedSeconds).toBeUndefined();
  });

  it("leaves the peak that killed it in the stretch of the tick, not what was left after it", () => {
    const { nodes, recordedSeconds } = run(outgrows, [], { timeline: { everySeconds: 10 } });
    const used = nodes[0]?.usedBytes ?? [];
    expect(nodes[0]?.peakUsedBytes).toBeCloseTo(102, 9);
    expect([...(recordedSeconds ?? [])].slice(15, 19)).toEqual([150, 160, 170, 180]);
    expect([...used].slice(15, 19)).toEqual([102, 102, 72, 74]);
  });
});

describe("what is recorded of a node", () => {
  it("is its highest use in each stretch, at ticks between two records and at the very end too", () => {
    // 90 at 10 s, back to 10 at 20 s; 60 when it ends at 50 s, within the last stretch.
    const peaks = trace([0, 10], [10, 90], [20, 10], [45, 10], [50, 60]);
    const { nodes, recordedSeconds } = run(scenario([node("z1")], [pod("a", peaks)], { endSeconds: 50 }), [], {
      timeline: { everySeconds: 20 },
    });
    expect([...(recordedSeconds ?? [])]).toEqual([0, 20, 40]);
    expect([...(nodes[0]?.usedBytes ?? [])]).toEqual([90, 10, 60]);
  });
});

describe("a pod above its own limit", () => {
  it("is killed though the node has room", () => {
    // 10 and 30 a minute more: 40 after 60 s, which is not above; 45 at 70 s.
    const one = scenario([node("z1")], [pod("a", growing(10, 30), { limitBytes: 40 })], { endSeconds: 100 });
    expect(story(run(one))).toEqual(["70 Killed a OverLimit"]);
  });

  it("leaves the others alone", () => {
    const pods = [pod("a", flat(30)), pod("b", trace([0, 10], [10, 50], [20, 10]), { limitBytes: 40 })];
    expect(story(run(scenario([node("z1")], pods, { endSeconds: 25 })))).toEqual(["10 Killed b OverLimit"]);
  });
});

describe("a pod with an end", () => {
  it("finishes when its work is done, and its memory is free again", () => {
    const one = scenario([node("z1")], [pod("a", flat(30), { durationSeconds: 125 })], { endSeconds: 250 });
    const record = run(one);
    expect(story(record)).toEqual(["125 Finished a"]);
    expect(record.pods[0]).toMatchObject({ scheduledSeconds: 0, finishedSeconds: 125, workedSeconds: 125 });
    expect(record.nodes[0]?.meanUsedBytes).toBeCloseTo(15, 9);
  });

  it("finishes later by what a kill cost it", () => {
    // Alone above capacity from 20 s to 30 s of its work: killed at 20 s; without b it fits.
    const pods = [
      pod("a", trace([0, 10], [10, 10], [20, 60]), { durationSeconds: 50 }),
      pod("b", flat(50), { durationSeconds: 25, requestBytes: 50, limitBytes: 50 }),
    ];
    expect(story(run(scenario([node("z1")], pods)))).toEqual([
      "20 Killed a NodeOutOfMemory",
      "25 Finished b",
      "80 Finished a",
    ]);
  });
});

describe("memory above reserve", () => {
  it("is summed up over time", () => {
    // Reserve 20 %: above 80 from 32 s on, between two ticks, up to 95 at 80 s, then down at once.
    const one = scenario([node("z1")], [pod("a", trace([0, 70], [80, 95]), { durationSeconds: 80 })], {
      endSeconds: 100,
    });
    expect(run(one).nodes[0]?.aboveReserveByteSeconds).toBeCloseTo((48 * 15) / 2, 6);
  });
});

describe("a move", () => {
  // At 60 s z1 has 85 used: less than 20 free. The bigger pod, 45 then, goes to z2.
  const crowded = (more = {}) =>
    scenario([node("z1"), node("z2")], [pod("a", growing(40, 5), { node: "z1" }), pod("b", flat(40), { node: "z1" })], {
      endSeconds: 120,
      ...more,
    });
  const short = policy({ pressure: { strategy: "Threshold", freeBelow: "20%" } });

  it("goes on for its fixed part while the pod runs, then freezes it for each byte", () => {
    const record = run(crowded(), [short]);
    // 4 s, then (45 + 4·5/60) / 2 s frozen.
    const frozen = (45 + 1 / 3) / 2;
    const ended = record.events.find((event) => event.kind === "MoveEnded");
    expect(story(record).at(0)).toBe("60 MoveStarted a z1→z2");
    expect(ended).toMatchObject({ outcome: "Succeeded", frozenSeconds: expect.closeTo(frozen, 9) });
    expect(ended?.tookSeconds).toBeCloseTo(4 + frozen, 9);
    expect(ended).toMatchObject({ bytes: expect.closeTo(45 + 1 / 3, 9) });
  });

  it("costs the pod the time it was frozen, and no work", () => {
    const record = run(crowded(), [short]);
    expect(record.pods.find(({ pod: name }) => name === "default/a")?.workedSeconds).toBeCloseTo(
      120 - (45 + 1 / 3) / 2,
      9,
    );
  });

  it("uses memory on the target from the start, and twice while what was sent is restored", () => {
    const record = run(crowded(), [short], { timeline: { everySeconds: 1 } });
    const at = (name: string, second: number) => record.nodes.find((one) => one.node === name)?.usedBytes?.[second];
    expect([at("z2", 59), at("z2", 62)]).toEqual([0, 45]);
    expect(at("z2", 70)).toBeCloseTo(2 * (45 + 1 / 3), 9);
    expect(at("z1", 70)).toBeCloseTo(40 + 45 + 1 / 3, 9);
    // Ended at 60 + 4 + 22.67 = 86.67 s; the pod has grown for 1.33 s when the stretch from 87 s on is over.
    expect(at("z1", 87)).toBeCloseTo(40, 9);
    expect(at("z2", 87)).toBeCloseTo(45 + 1 / 3 + (4 / 3) * (5 / 60), 9);
  });
});
