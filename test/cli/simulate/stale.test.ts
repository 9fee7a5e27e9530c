import { describe, expect, it } from "vitest";
import { stale } from "../../../src/cli/simulate/stale.ts";
import { flat, node, pod, policy, run, scenario, story } from "../../simulator/engine/world.ts";
import { variant } from "./variant.ts";

const metrics = (delaySeconds: number, intervalSeconds = 10) => ({ delaySeconds, intervalSeconds, lossRate: 0 });
const after = (staleAfter: string) => variant("p", { metrics: { staleAfter } });

const always = (staleAfter: string, delay: string) =>
  `policy p finds all figures too old, and moves nothing: they are older than its metrics.staleAfter of ${staleAfter} when they come ` +
  `(--metrics-delay ${delay}); give a longer staleAfter or a shorter delay`;
const atTimes = (staleAfter: string, delay: string, interval: string, oldest: string) =>
  `policy p may find figures too old, and moves nothing then: they get up to ${oldest} old (--metrics-delay ${delay}, --metrics-interval ` +
  `${interval}), its metrics.staleAfter is ${staleAfter}; give a longer staleAfter, or a shorter delay or interval`;

describe("a policy whose figures are too old for it", () => {
  it.each([
    { delay: 10, interval: 10, lines: [] },
    { delay: 80, interval: 10, lines: [] },
    { delay: 80.5, interval: 10, lines: [atTimes("90s", "80.5s", "10s", "90.5s")] },
    { delay: 90, interval: 10, lines: [atTimes("90s", "90s", "10s", "100s")] },
    { delay: 0, interval: 120, lines: [atTimes("90s", "0s", "120s", "120s")] },
    { delay: 100, interval: 10, lines: [always("90s", "100s")] },
  ])("is told of beforehand: delay $delay s, interval $interval s", ({ delay, interval, lines }) => {
    expect(stale([variant("p")], metrics(delay, interval))).toEqual(lines);
  });

  it("is told of with each value that it is swept over", () => {
    const swept = ["30s", "1m", "3m"].map(after);
    expect(stale([...swept, after("30s")], metrics(55))).toEqual([
      always("30s", "55s"),
      atTimes("1m", "55s", "10s", "65s"),
    ]);
  });

  it("is not the clairvoyant reference, whose figures are never late", () => {
    expect(stale([{ ...variant("clairvoyant"), role: "Clairvoyant" }], metrics(1000))).toEqual([]);
  });

  it.each([
    { delaySeconds: 90, moves: 1 },
    { delaySeconds: 90.5, moves: 0 },
  ])("moves nothing in the simulation once the delay is longer: $delaySeconds s", ({ delaySeconds, moves }) => {
    const pods = ["a", "b"].map((name) => pod(name, flat(45), { node: "z1" }));
    const late = scenario([node("z1"), node("z2")], pods, { conditions: { metrics: metrics(delaySeconds) } });
    const short = policy({ pressure: { strategy: "Threshold", freeBelow: "20%" } });
    expect(story(run(late, [short]), ["MoveStarted"])).toHaveLength(moves);
  });
});
