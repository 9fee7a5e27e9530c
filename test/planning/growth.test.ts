import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import { growthPerMinute } from "../../src/planning/growth.ts";
import type { Series } from "../../src/planning/snapshot.ts";
import { brief, NOW_MS, node, pod, policy } from "./fixtures.ts";

/** Every 15 s, the last one now. */
const series = (bytes: readonly number[]): Series => ({
  timesMs: Float64Array.from(bytes, (_, index) => NOW_MS - (bytes.length - 1 - index) * 15_000),
  bytes: Float64Array.from(bytes),
});
const figure = (bytes: readonly number[]) => ({ usedBytes: bytes.at(-1), sampledAtMs: NOW_MS, series: series(bytes) });
const steps = (count: number, of: (index: number) => number) => Array.from({ length: count }, (_, index) => of(index));

describe("growth per minute", () => {
  it.each<[string, number[], number | undefined]>([
    ["of nothing is not known", [], undefined],
    ["of one sample is not known", [7], undefined],
    ["of a straight line is its slope", steps(20, (i) => 100 + 2 * i), 8],
    ["may be negative", steps(20, (i) => 100 - 2 * i), -8],
    ["is not led astray by one odd sample", steps(20, (i) => (i === 19 ? 1000 : 100 + 2 * i)), 8],
    ["is that of the last five minutes, not of before", steps(100, (i) => (i < 70 ? 1000 - 9 * i : 300 + i)), 4],
    ["of many samples is the same", steps(300, (i) => i), 4],
  ])("%s", (_, bytes, expected) => {
    expect(growthPerMinute(figure(bytes))).toEqual(expected);
  });

  it("as written counts where there is no series", () => {
    expect(growthPerMinute({ usedBytes: 1, sampledAtMs: NOW_MS, growthBytesPerMinute: 3 })).toBe(3);
    expect(growthPerMinute({ usedBytes: 1, sampledAtMs: NOW_MS, growthBytesPerMinute: Number.NaN })).toBeUndefined();
  });
});

describe("under Slope", () => {
  const spec = { pressure: { strategy: "Slope" as const, freeBelow: "10%" }, placement: { margin: "0%" } };

  it("a node grows by its own series where its pods' figures show less", () => {
    const z = node("z", { usedBytes: 75, series: series(steps(20, (i) => 56 + i)) });
    const { decision } = evaluate({ timeMs: NOW_MS, nodes: [z], pods: [], moves: [] }, [policy(spec)]);
    expect(decision.nodes[0]?.pressureBytes).toBe(5);
  });

  it("a target must have room for its growth and the pod's: the free one that grows is passed over", () => {
    const pods = [
      pod("w", "z2", 30, { growthBytesPerMinute: 2 }),
      pod("x", "z2", 60),
      pod("grows", "z1", 10, { growthBytesPerMinute: 18 }),
      pod("still", "z3", 40),
    ];
    const nodes = ["z1", "z2", "z3"].map((name) => node(name));
    const decide = (more: object) =>
      evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [policy({ ...spec, ...more })]).decision;
    const nextTo = { ...spec.pressure, freeBelow: "25%", slope: { ahead: "2m" } };
    expect(brief(decide({ pressure: nextTo, selection: { strategy: "Max" } }).moves)).toEqual(["w→z3"]);
    const now = { ...nextTo, strategy: "Threshold" as const, slope: undefined };
    expect(brief(decide({ pressure: now, selection: { strategy: "BigEnough" } }).moves)).toEqual(["w→z1"]);
  });
});
