/** The clairvoyant reference: planning that is given what memory will be. A node has 100 bytes. */
import { describe, expect, it } from "vitest";
import { nodeFuture, PodFuture } from "../../../src/simulator/engine/foresight.ts";
import { NodeRun } from "../../../src/simulator/engine/node-run.ts";
import { PodRun } from "../../../src/simulator/engine/pod-run.ts";
import { flat, node, pod, policy, run, scenario, story, trace } from "./world.ts";

const toMs = (seconds: number) => seconds * 1000;

describe("what a pod will use", () => {
  const begun = (more = {}, at = 100) => {
    const one = new PodRun(pod("a", trace([0, 10], [60, 40], [120, 20]), more));
    one.clock.begin(at);
    return one;
  };
  const points = (future: PodFuture, at: number) => {
    const { timesMs, bytes } = future.from(at);
    return Array.from(timesMs, (time, index) => [time / 1000, bytes[index]]);
  };

  it("is its trace from where it is, on the clock", () => {
    const future = new PodFuture(begun(), toMs);
    expect(points(future, 100)).toEqual([
      [100, 10],
      [160, 40],
      [220, 20],
    ]);
    expect(points(future, 170)).toEqual([
      [160, 40],
      [220, 20],
    ]);
  });

  it("is nothing once it has finished", () => {
    expect(points(new PodFuture(begun({ durationSeconds: 90 }), toMs), 100)).toEqual([
      [100, 10],
      [160, 40],
      [190, 30],
      [190.001, 0],
    ]);
  });

  it("is what it has while it is frozen, and later by as much afterwards", () => {
    const one = begun();
    const future = new PodFuture(one, toMs);
    one.clock.freeze(130);
    expect(points(future, 140)).toEqual([[140, 25]]);
    one.clock.resume(150);
    expect(points(future, 150)).toEqual([
      [120, 10],
      [180, 40],
      [240, 20],
    ]);
  });

  it("adds up to what its node will use", () => {
    const z1 = new NodeRun(node("z1"), 0);
    z1.alter(100, () => {
      z1.pods.add(begun({ durationSeconds: 90 }));
      z1.pods.add(begun());
      z1.stagedBytes = 5;
    });
    const { timesMs, bytes } = nodeFuture(z1, 100, 30, toMs);
    expect([...timesMs.subarray(0, 5)]).toEqual([100_000, 130_000, 160_000, 190_000, 220_000]);
    expect([...bytes.subarray(0, 5)]).toEqual([25, 55, 85, 35, 25]);
  });
});

describe("a policy that knows the future", () => {
  // At 400 s a jumps, which nothing announces.
  const jumps = scenario(
    [node("z1"), node("z2")],
    [pod("a", trace([0, 20], [399, 20], [400, 60]), { node: "z1" }), pod("b", flat(45), { node: "z1" })],
    { endSeconds: 500 },
  );
  const foresees = policy({
    pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "5m", model: "Linear" } },
  });

  it("moves before a jump that others see only when it has killed", () => {
    expect(story(run(jumps, [foresees], { foresight: true }), ["Killed"])).toEqual([]);
    expect(story(run(jumps, [foresees]), ["Killed"])).toEqual(["400 Killed a NodeOutOfMemory"]);
  });

  it("moves nothing that will fit", () => {
    const fits = scenario(
      [node("z1"), node("z2")],
      [pod("a", trace([0, 10], [300, 45], [600, 45]), { node: "z1" }), pod("b", flat(45), { node: "z1" })],
    );
    expect(story(run(fits, [foresees], { foresight: true }))).toEqual([]);
  });
});
