/** Who has to go when memory runs out. A node has 100 bytes. */
import { describe, expect, it } from "vitest";
import {
  badness,
  type Consumer,
  compareForEviction,
  kernelVictim,
  oomScoreAdjust,
  qualityOfService,
} from "../../../src/simulator/engine/out-of-memory.ts";
import { EXACT, flat, node, pod, run, scenario, story, trace } from "./world.ts";

const consumer = (key: string, bytes: number, spec: Partial<Consumer["spec"]> = {}): Consumer => ({
  key,
  bytes,
  spec: { requestBytes: 0, ...spec },
});

describe("the kernel's choice", () => {
  it.each([
    { what: "no request and no limit", spec: { requestBytes: 0 }, service: "BestEffort", adjust: 1000 },
    {
      what: "a limit equal to the request",
      spec: { requestBytes: 50, limitBytes: 50 },
      service: "Guaranteed",
      adjust: -997,
    },
    { what: "a request of a quarter of the node", spec: { requestBytes: 25 }, service: "Burstable", adjust: 750 },
    { what: "a request of all of the node", spec: { requestBytes: 100 }, service: "Burstable", adjust: 3 },
    { what: "next to no request", spec: { requestBytes: 0.01 }, service: "Burstable", adjust: 999 },
    { what: "a limit alone", spec: { requestBytes: 0, limitBytes: 10 }, service: "Burstable", adjust: 999 },
  ])("$what is $service, adjusted by $adjust", ({ spec, service, adjust }) => {
    expect(qualityOfService(spec)).toBe(service);
    expect(oomScoreAdjust(spec, 100)).toBe(adjust);
  });

  it("is the one of the greatest use and adjustment together", () => {
    expect(badness(consumer("a", 30, { requestBytes: 25 }), 100)).toBe(30 + 75);
    const [small, asked, owned] = [
      consumer("small", 10),
      consumer("asked", 60, { requestBytes: 40 }),
      consumer("owned", 90, { requestBytes: 90, limitBytes: 90 }),
    ];
    // 10 + 100, 60 + 60, 90 − 99.7.
    expect(kernelVictim([small, asked, owned], 100)?.key).toBe("asked");
    expect(kernelVictim([small, owned], 100)?.key).toBe("small");
    expect(kernelVictim([owned], 100)?.key).toBe("owned");
  });

  it("is nobody without memory, and the first by name among equals", () => {
    expect(kernelVictim([consumer("a", 0)], 100)).toBeUndefined();
    expect(kernelVictim([consumer("b", 5), consumer("a", 5)], 100)?.key).toBe("a");
  });

  it("goes on until the node fits again", () => {
    // At 10 s 150 are used: without the 50 there are exactly 100, which fit; the guaranteed ones are spared.
    const pods = [
      pod("a", trace([0, 10], [10, 50])),
      pod("b", trace([0, 10], [10, 60]), { requestBytes: 60, limitBytes: 60 }),
      pod("c", trace([0, 10], [10, 40]), { requestBytes: 40, limitBytes: 40 }),
    ];
    expect(story(run(scenario([node("z1")], pods, { endSeconds: 15 })))).toEqual(["10 Killed a NodeOutOfMemory"]);
    const more = [...pods, pod("d", trace([0, 0], [10, 1]))];
    expect(story(run(scenario([node("z1")], more, { endSeconds: 15 })))).toEqual([
      "10 Killed a NodeOutOfMemory",
      "10 Killed d NodeOutOfMemory",
    ]);
  });
});

describe("the kubelet's order", () => {
  it("puts those above their request first, then the lowest priority, then those furthest above", () => {
    const ranked = [
      consumer("within", 90, { requestBytes: 95, priority: -5 }),
      consumer("far above", 40, { requestBytes: 10 }),
      consumer("above", 15, { requestBytes: 10 }),
      consumer("above and low", 11, { requestBytes: 10, priority: -1 }),
      consumer("above and high", 60, { requestBytes: 10, priority: 7 }),
    ].sort(compareForEviction);
    expect(ranked.map(({ key }) => key)).toEqual(["above and low", "far above", "above", "above and high", "within"]);
  });

  it("is followed one pod at a time, each time it looks", () => {
    // 10 must be free. 95 are used from 5 s on: at 10 s the furthest above its request goes, then 85 − 10 fit.
    const conditions = { kubelet: { evictionBytes: 30, intervalSeconds: 10 }, restartSeconds: 1000 };
    const pods = [
      pod("a", trace([0, 5], [5, 30]), { requestBytes: 10 }),
      pod("b", trace([0, 5], [5, 35]), { requestBytes: 20 }),
      pod("c", trace([0, 5], [5, 30]), { requestBytes: 30 }),
    ];
    expect(story(run(scenario([node("z1")], pods, { endSeconds: 60, conditions })))).toEqual(["10 Evicted a"]);
    const tighter = { ...conditions, kubelet: { evictionBytes: 50, intervalSeconds: 10 } };
    expect(story(run(scenario([node("z1")], pods, { endSeconds: 60, conditions: tighter })))).toEqual([
      "10 Evicted a",
      "20 Evicted b",
    ]);
  });

  it("leaves a node with exactly enough alone", () => {
    const conditions = { kubelet: { evictionBytes: 30, intervalSeconds: 10 } };
    expect(story(run(scenario([node("z1")], [pod("a", flat(70))], { conditions })))).toEqual([]);
  });

  it("is for no pod where 0 must be free, not even while more is used than there is", () => {
    // The kernel looks at each tick, once a minute here; the kubelet every ten seconds.
    const conditions = { kubelet: { evictionBytes: 0, intervalSeconds: 10 }, tickSeconds: 60 };
    const pods = [pod("a", trace([0, 5], [5, 90])), pod("b", flat(20))];
    expect(story(run(scenario([node("z1")], pods, { conditions, endSeconds: 59 })))).toEqual([]);
  });
});

describe("an evicted pod", () => {
  const conditions = { kubelet: { evictionBytes: 20, intervalSeconds: 10 } };

  it("loses its work and begins anew on another node, after the restart's time", () => {
    const pods = [
      pod("a", trace([0, 10], [15, 60]), { requestBytes: 10, node: "z1", durationSeconds: 100 }),
      pod("b", flat(30), { requestBytes: 80, node: "z1" }),
    ];
    const record = run(scenario([node("z1"), node("z2")], pods, { conditions }));
    expect(story(record, ["Scheduled", "Evicted", "Finished"])).toEqual([
      "0 Scheduled a z1",
      "0 Scheduled b z1",
      "20 Evicted a",
      "30 Scheduled a z2",
      "130 Finished a",
    ]);
    expect(record.events.find(({ kind }) => kind === "Evicted")).toMatchObject({
      lost: { seconds: 20, byteSeconds: 15 * 35 + 5 * 60 },
    });
  });

  it("does not come back within five minutes to the node that evicted it, if it requests nothing", () => {
    const pods = [pod("a", trace([0, 10], [15, 90]), { node: "z1" })];
    const record = run(scenario([node("z1")], pods, { conditions, endSeconds: 330 }));
    expect(story(record, ["Scheduled", "Evicted"])).toEqual(["0 Scheduled a z1", "20 Evicted a", "320 Scheduled a z1"]);
  });
});

describe("what a kill costs", () => {
  it("keeps the request of the killed pod on its node", () => {
    const pods = [
      pod("a", trace([0, 10], [10, 50]), { requestBytes: 60, limitBytes: 40 }),
      pod("b", flat(10), { requestBytes: 50, arrivalSeconds: 12 }),
    ];
    const conditions = { ...EXACT, restartSeconds: 30 };
    const record = run(scenario([node("z1")], pods, { conditions, endSeconds: 45 }));
    expect(story(record, ["Scheduled", "Killed"])).toEqual(["0 Scheduled a z1", "10 Killed a OverLimit"]);
  });
});
