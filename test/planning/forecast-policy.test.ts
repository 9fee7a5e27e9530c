/** Policies that forecast: who must free how much, by when, and when moves start. A byte is a percent of a node. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { ClusterSnapshot, Series } from "../../src/planning/snapshot.ts";
import { brief, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const GB = 1e9;
/** `minutes` of samples every 15 s up to now; `bytes` of minutes before now (negative). */
function series(minutes: number, bytes: (minute: number) => number): Series {
  const count = minutes * 4 + 1;
  const timesMs = Float64Array.from({ length: count }, (_, index) => NOW_MS - (count - 1 - index) * 15_000);
  return { timesMs, bytes: timesMs.map((timeMs) => bytes((timeMs - NOW_MS) / 60_000)) };
}

const figure = (of: Series) => ({ series: of, usedBytes: of.bytes.at(-1), sampledAtMs: of.timesMs.at(-1) });
const big = { capacityBytes: 100 * GB, allocatableBytes: 100 * GB };
const steady = (gigabytes: number) => figure(series(30, () => gigabytes * GB));
const growing = (now: number, perMinute: number, minutes = 30) =>
  figure(series(minutes, (minute) => (now + perMinute * minute) * GB));

/** z2 holds a growing pod and a steady one, of 90 GB together, that may not move; z1 is nearly empty. */
function growingCluster(now: number, perMinute: number, more: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
  const stays = pod("stays", "z2", undefined, steady(90 - now));
  return {
    timeMs: NOW_MS,
    nodes: [node("z2", { ...big, ...growing(90, perMinute) }), node("z1", { ...big, ...steady(5) })],
    pods: [
      pod("grows", "z2", undefined, growing(now, perMinute)),
      { ...stays, annotations: { "headroom.dev/move": "false" } },
    ],
    moves: [],
    ...more,
  };
}

const forecast = (more: object = {}, spec: SpecInput = {}) =>
  policy({ pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { model: "Linear", ...more } }, ...spec });

describe("pressure Forecast", () => {
  it("finds the node short that will be, by as much as it will exceed what may be used", () => {
    const [z2, z1] = evaluate(growingCluster(70, 2), [forecast()]).decision.nodes;
    expect(z2).toMatchObject({ name: "z2", freeBytes: 10 * GB });
    expect(z2?.pressureBytes).toBeGreaterThanOrEqual(5 * GB);
    expect(z2?.pressureBytes).toBeLessThan(6 * GB);
    expect(z1).toMatchObject({ name: "z1", pressureBytes: 0 });
  });

  it("says by when: less than freeBelow may be free in 2.5 minutes, and nothing in 5", () => {
    const z2 = evaluate(growingCluster(70, 2), [forecast()]).decision.nodes[0];
    expect((z2?.deadlineMs ?? 0) - NOW_MS).toBeLessThanOrEqual(150_000);
    expect((z2?.deadlineMs ?? 0) - NOW_MS).toBeGreaterThan(135_000);
    expect((z2?.exhaustedAtMs ?? 0) - NOW_MS).toBeCloseTo(300_000, -3);
  });

  it("leaves alone what has stopped growing, however full", () => {
    const plateau = figure(series(60, (minute) => (minute < -25 ? 93 + (minute + 25) : 93) * GB));
    const snapshot = growingCluster(70, 2);
    const nodes = [node("z2", { ...big, ...plateau }), ...snapshot.nodes.slice(1)];
    expect(evaluate({ ...snapshot, nodes }, [forecast({ model: "Auto" })]).decision.outcome).toBe("NothingToDo");
  });

  it("foresees a node without a series by its pods together, and what it uses beside them", () => {
    const snapshot = growingCluster(70, 2);
    const nodes = [node("z2", { ...big, usedBytes: 90 * GB }), ...snapshot.nodes.slice(1)];
    const [z2] = evaluate({ ...snapshot, nodes }, [forecast()]).decision.nodes;
    expect(z2?.pressureBytes).toBeGreaterThanOrEqual(5 * GB);
    expect(z2?.pressureBytes).toBeLessThan(6 * GB);
  });

  it("moves nothing because of a bound that is wide only for want of history", () => {
    const nodes = [node("z2", { ...big, usedBytes: 85 * GB }), node("z1", { ...big, ...steady(5) })];
    const snapshot = { timeMs: NOW_MS, nodes, pods: [pod("w", "z2", 60 * GB)], moves: [] };
    const { decision } = evaluate(snapshot, [forecast()]);
    expect(decision.nodes[0]).toMatchObject({ outcome: "Waiting", reason: "TooLittleHistory" });
    expect(decision.nodes[0]?.pressureBytes).toBeGreaterThan(0);
  });

  it("without any history still relieves a node that is short now", () => {
    const nodes = [node("z2", { ...big, usedBytes: 97 * GB }), node("z1", { ...big, ...steady(5) })];
    const snapshot = { timeMs: NOW_MS, nodes, pods: [pod("w", "z2", 40 * GB)], moves: [] };
    expect(brief(evaluate(snapshot, [forecast()]).decision.moves)).toEqual(["w→z1"]);
  });

  it("takes a future that is known as it is, without a margin", () => {
    const future = {
      timesMs: Float64Array.of(NOW_MS, NOW_MS + 120_000, NOW_MS + 240_000, NOW_MS + 360_000),
      bytes: Float64Array.of(50, 50, 98, 50).map((gigabytes) => gigabytes * GB),
    };
    const snapshot = growingCluster(30, 0);
    const nodes = [node("z2", { ...big, ...steady(50), future }), ...snapshot.nodes.slice(1)];
    const [z2] = evaluate({ ...snapshot, nodes }, [forecast({ horizon: "8m" })]).decision.nodes;
    expect(z2?.pressureBytes).toBeCloseTo(3 * GB, -6);
    expect((z2?.deadlineMs ?? 0) - NOW_MS).toBeCloseTo(232_500, -3);
  });
});

describe("when a move starts", () => {
  it("not before it must: it is told, and waits", () => {
    const { decision } = evaluate(growingCluster(20, 1), [forecast({ horizon: "10m" })]);
    expect(decision.outcome).toBe("Waiting");
    expect(decision.nodes[0]).toMatchObject({ name: "z2", reason: "StartsLater" });
    const [planned] = decision.moves;
    // 5 minutes until less is free than should be; 25 GB take at most 84 s and the margin of 30 s; an interval and 5 s of slack.
    expect(brief(decision.moves)).toEqual(["grows→z1"]);
    expect(planned?.expectedSeconds).toBe(84);
    const leftSeconds = ((decision.nodes[0]?.deadlineMs ?? 0) - (planned?.startAtMs ?? 0)) / 1000;
    expect(leftSeconds).toBeCloseTo(84 + 30 + 15 + 5, -1);
  });
});
