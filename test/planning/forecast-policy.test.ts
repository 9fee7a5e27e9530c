/** Policies that forecast: who must free how much, by when, and when moves start. A byte is a percent of a node. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { Calibration } from "../../src/planning/forecast/calibration.ts";
import { newestOf } from "../../src/planning/foresight/calibrations.ts";
import type { ClusterSnapshot, PlanningMemory, Series } from "../../src/planning/snapshot.ts";
import { brief, move, NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

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

  /** z2 at 90 GB grows by 2 GB a minute: 5 GB too many in 5 minutes, less free than should be in 2.5. */
  function pressed(pods: Record<string, number>, more: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
    const snapshot = growingCluster(20, 2, more);
    return { ...snapshot, pods: Object.entries(pods).map(([name, used]) => pod(name, "z2", undefined, steady(used))) };
  }

  it("as moves took here: a faster cluster waits longer", () => {
    const moves = Array.from({ length: 40 }, (_, index) =>
      move({
        pod: `done-${index}`,
        from: "z8",
        to: "z9",
        phase: "Succeeded",
        memoryBytes: (5 + index) * GB,
        startedAtMs: NOW_MS - 7_200_000,
        finishedAtMs: NOW_MS - 7_200_000 + (2 + index / 2) * 1000,
      }),
    );
    const { decision } = evaluate(pressed({ w: 20 }, { moves }), [forecast()]);
    expect(decision.moves[0]).toMatchObject({ expectedSeconds: 10 });
    expect((decision.moves[0]?.startAtMs ?? 0) - NOW_MS).toBeGreaterThan(100_000);
    expect(evaluate(pressed({ w: 20 }), [forecast()]).decision.moves[0]?.expectedSeconds).toBe(68);
  });

  it("early enough for all that must follow one another", () => {
    const slower = growingCluster(20, 1);
    const snapshot = { ...slower, pods: ["a", "b"].map((name) => pod(name, "z2", undefined, steady(4))) };
    const decide = (maxMovesPerEvaluation: number) =>
      evaluate(snapshot, [forecast({ horizon: "10m" }, { pacing: { maxMovesPerEvaluation } })]).decision;
    const decision = decide(1);
    expect(brief(decision.moves)).toEqual(["a→z1", "b→z1"]);
    const [first, second] = decision.moves.map(({ startAtMs }) => startAtMs);
    // 14 s and 30 s at most each; between them the pause of 30 s and an evaluation.
    expect(((second ?? 0) - (first ?? 0)) / 1000).toBeCloseTo(44 + 30 + 15, -1);
    const together = decide(2);
    expect(new Set(together.moves.map(({ startAtMs }) => startAtMs)).size).toBe(1);
    expect(together.moves[0]?.startAtMs).toBe(second);
  });

  it("a smaller pod goes when the one selected could not go in time, and it is said why", () => {
    const { decision } = evaluate(pressed({ large: 60, small: 10 }), [forecast()]);
    expect(brief(decision.moves)).toEqual(["small→z1"]);
    expect(decision.refusals).toContainEqual(expect.objectContaining({ pod: "large", reason: "TooLate" }));
    expect(decision.nodes[0]?.reason).toBe("StartsLater");
  });

  it("several smaller ones when no single one is enough", () => {
    const pacing = { maxMovesPerEvaluation: 5 };
    const { decision } = evaluate(pressed({ large: 60, a: 4, b: 4 }), [forecast({}, { pacing })]);
    expect(brief(decision.moves).sort()).toEqual(["a→z1", "b→z1"]);
  });

  it("now, when nothing can end in time: late is better than never, and by how much is said", () => {
    const { decision } = evaluate(pressed({ large: 60 }), [forecast()]);
    expect(decision.outcome).toBe("Moves");
    expect(decision.moves[0]).toMatchObject({ pod: "large", startAtMs: NOW_MS, reason: "TooLate" });
    // 201 s and 30 s, and 2.5 minutes are left, less the bound's margin.
    const by = Number(/it may end (\d+)s/.exec(decision.moves[0]?.message ?? "")?.[1]);
    expect(by).toBeGreaterThanOrEqual(81);
    expect(by).toBeLessThan(100);
    expect(decision.nodes[0]).toMatchObject({ reason: "TooLate" });
    expect(decision.nodes[0]?.message).toContain(`${by}s`);
  });

  it("is left alone when it ends by itself before", () => {
    const ends = (seconds: number) => ({ startedAtMs: NOW_MS - 3_600_000, expectedRuntimeSeconds: 3600 + seconds });
    const decide = (seconds: number) => {
      const snapshot = pressed({ w: 20 });
      const pods = snapshot.pods.map((one) => ({ ...one, ...ends(seconds) }));
      const eligibility = { skipAboveProgress: "100%", skipBelowRemaining: "0s" };
      return evaluate({ ...snapshot, pods }, [forecast({}, { eligibility })]).decision;
    };
    expect(decide(100).moves).toEqual([]);
    expect(decide(100).refusals).toContainEqual(expect.objectContaining({ reason: "EndsBeforeDeadline" }));
    expect(decide(200).moves).toHaveLength(1);
  });

  it("those that start later don't count for this evaluation's limits, nor for what others may start", () => {
    const nodes = [...pressed({}).nodes, node("z3", { ...big, ...growing(90, 2) })];
    const pods = [pod("a", "z2", undefined, steady(20)), pod("b", "z3", undefined, steady(60))];
    const { decision } = evaluate({ ...pressed({}), nodes, pods }, [forecast()]);
    expect(decision.nodes.find(({ name }) => name === "z2")?.reason).toBe("StartsLater");
    expect(decision.nodes.find(({ name }) => name === "z3")?.outcome).toBe("Moves");
    expect(brief(decision.moves)[0]).toBe("b→z1");
  });
});

describe("targets of a policy that forecasts", () => {
  const decide = (targets: ClusterSnapshot["nodes"], pods: ClusterSnapshot["pods"] = []) => {
    const snapshot = growingCluster(20, 2);
    return evaluate(
      { ...snapshot, nodes: [...snapshot.nodes.slice(0, 1), ...targets], pods: [...snapshot.pods, ...pods] },
      [forecast({ horizon: "5m" })],
    ).decision;
  };

  it("must hold what will run there: 60 GB now and 90 in 5 minutes leave no room for 20, and 58 GB for good do", () => {
    const { moves } = decide([node("t1", { ...big, ...growing(60, 6) }), node("t2", { ...big, ...steady(58) })]);
    expect(brief(moves)).toEqual(["grows→t2"]);
  });

  it("must hold what the pod will have grown to", () => {
    // 30 GB of 100 are left beside freeBelow and margin: enough for 20 now and 30 in 5 minutes, just.
    expect(brief(decide([node("t1", { ...big, ...steady(59) })]).moves)).toEqual(["grows→t1"]);
    const { refusals } = decide([node("t1", { ...big, ...steady(65) })]);
    expect(refusals).toContainEqual(expect.objectContaining({ node: "t1", reason: "NotEnoughRoom" }));
  });

  it("have less room while little is known of them", () => {
    const short = (gigabytes: number) => figure(series(1, () => gigabytes * GB));
    expect(brief(decide([node("t1", { ...big, ...steady(55) })]).moves)).toEqual(["grows→t1"]);
    expect(decide([node("t1", { ...big, ...short(55) })]).moves).toEqual([]);
  });
});

describe("after a move", () => {
  it("the step that it made is not taken for growth, neither where the pod went nor where it left", () => {
    const jump = (before: number, after: number) => figure(series(30, (minute) => (minute < -1 ? before : after) * GB));
    const moved = move({
      pod: "w",
      from: "z2",
      to: "z1",
      lineage: "uid-w",
      phase: "Succeeded",
      memoryBytes: 50 * GB,
      startedAtMs: NOW_MS - 300_000,
      finishedAtMs: NOW_MS - 75_000,
    });
    const nodes = [node("z2", { ...big, ...jump(95, 45) }), node("z1", { ...big, ...jump(20, 70) })];
    const pods = [
      pod("stays", "z2", undefined, steady(45)),
      pod("other", "z1", undefined, steady(20)),
      pod("w", "z1", undefined, { ...figure(series(1, () => 50 * GB)), lineage: "uid-w" }),
    ];
    const decide = (moves: ClusterSnapshot["moves"]) =>
      evaluate({ timeMs: NOW_MS, nodes, pods, moves }, [forecast({ model: "Holt" })]).decision;
    expect(decide([moved]).nodes.map(({ pressureBytes }) => pressureBytes)).toEqual([0, 0]);
    expect(decide([]).nodes.find(({ name }) => name === "z1")?.pressureBytes).toBeGreaterThan(0);
  });
});

describe("what is remembered of forecasts", () => {
  const noisy = (now: number, seed: number) => {
    let state = seed;
    return figure(
      series(30, () => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return (now + 4 * (state / 2 ** 31 - 0.5)) * GB;
      }),
    );
  };
  const snapshot: ClusterSnapshot = {
    timeMs: NOW_MS,
    nodes: [node("z2", { ...big, ...noisy(93, 7) }), node("z1", { ...big, ...steady(5) })],
    pods: [pod("w", "z2", undefined, noisy(60, 3))],
    moves: [],
  };
  const key = "InfluxDB Linear 0.95 300";
  const remembered = (alpha: number): PlanningMemory => ({
    version: 1,
    gates: {},
    forecasts: {
      [key]: {
        nodes: { z2: { model: "Linear", confidence: 0.95, horizonSeconds: 300, alpha, throughMs: NOW_MS - 60_000 } },
        pods: {},
      },
    },
  });
  const pressure = (memory?: PlanningMemory) =>
    evaluate({ ...snapshot, ...(memory && { memory }) }, [forecast()]).decision.nodes[0]?.pressureBytes ?? Number.NaN;

  it("is one calibration for each series that was forecast, by source, options and series", () => {
    const { memory } = evaluate(snapshot, [forecast()]);
    expect(Object.keys(memory.forecasts ?? {})).toEqual([key]);
    expect(Object.keys(memory.forecasts?.[key]?.nodes ?? {})).toEqual(["z2"]);
  });

  it("lost, it makes no bound narrower", () => {
    expect(pressure(remembered(0.1))).toBeLessThan(pressure());
    expect(pressure(remembered(0.0))).toBeLessThanOrEqual(pressure());
  });

  it("damaged, it is as good as lost", () => {
    const damaged = { model: "Linear", confidence: 0.95, horizonSeconds: 300, alpha: 7, throughMs: NOW_MS };
    expect(pressure({ version: 1, gates: {}, forecasts: { [key]: { nodes: { z2: damaged }, pods: {} } } })).toBe(
      pressure(),
    );
  });

  it("goes with its node and with its policy's options", () => {
    const { memory } = evaluate(snapshot, [forecast()]);
    const without = { ...snapshot, nodes: snapshot.nodes.slice(1), pods: [], memory };
    expect(evaluate(without, [forecast()]).memory.forecasts).toBeUndefined();
    const changed = evaluate({ ...snapshot, memory }, [forecast({ horizon: "10m" })]).memory.forecasts ?? {};
    expect(Object.keys(changed)).toEqual(["InfluxDB Linear 0.95 600"]);
  });

  it("stays while the policy's turn is another's", () => {
    const { memory } = evaluate(snapshot, [forecast()]);
    const between = evaluate({ ...snapshot, memory }, [forecast()], { isDue: () => false }).memory;
    expect(between.forecasts).toEqual(memory.forecasts);
  });

  it("is bounded: the most recently calibrated stay", () => {
    const of = (throughMs: number) => ({ ...remembered(0).forecasts?.[key]?.nodes.z2, throughMs }) as Calibration;
    const all = { a: { nodes: { z: of(3) }, pods: { b: of(1), c: of(2) } }, d: { nodes: {}, pods: { a: of(1) } } };
    expect(newestOf(all, 3)).toEqual({
      a: { nodes: { z: of(3) }, pods: { c: of(2) } },
      d: { nodes: {}, pods: { a: of(1) } },
    });
    expect(newestOf(all, 9)).toEqual(all);
  });
});

describe("a pod that starts", () => {
  const started = (secondsAgo: number, gigabytes: number) => {
    const all = series(30, () => gigabytes * GB);
    const first = all.timesMs.findIndex((timeMs) => timeMs >= NOW_MS - secondsAgo * 1000);
    return {
      ...figure({ timesMs: all.timesMs.subarray(first), bytes: all.bytes.subarray(first) }),
      startedAtMs: NOW_MS - secondsAgo * 1000,
    };
  };
  const decide = (secondsAgo: number, model = "Auto") => {
    const stepped = figure(series(30, (minute) => (minute < -secondsAgo / 60 ? 20 : 60) * GB));
    const nodes = [node("z2", { ...big, ...stepped }), node("z1", { ...big, ...steady(5) })];
    const pods = [pod("old", "z2", undefined, steady(20)), pod("new", "z2", undefined, started(secondsAgo, 40))];
    return evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [forecast({ model })]).decision;
  };

  it.each([0, 30, 60, 120, 240, 400, 900])("is no growth of its node %d s later", (secondsAgo) => {
    for (const model of ["Auto", "Linear", "Holt"]) expect(decide(secondsAgo, model).moves).toEqual([]);
  });

  it("is not taken to go on growing as it did while it started", () => {
    const ramp = figure(series(2, (minute) => Math.min(45, 45 * (minute + 2)) * GB));
    const nodes = [
      node("z2", {
        ...big,
        ...figure(series(30, (minute) => (15 + Math.max(0, Math.min(45, 45 * (minute + 2)))) * GB)),
      }),
      node("z1", { ...big, ...steady(5) }),
    ];
    const pods = [pod("new", "z2", undefined, { ...ramp, startedAtMs: NOW_MS - 120_000 })];
    const { decision } = evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [forecast({ model: "Holt" })]);
    expect(decision.moves).toEqual([]);
  });
});

describe("several nodes under Blocking", () => {
  it("their moves don't meet: the one starts early enough for the other, whose deadline is the same", () => {
    const two = growingCluster(20, 1);
    const nodes = [...two.nodes, node("z3", { ...big, ...growing(90, 1) })];
    const pods = ["z2", "z3"].map((on) => pod(`of-${on}`, on, undefined, steady(6)));
    const decide = (pacing: SpecInput["pacing"]) =>
      evaluate({ ...two, nodes, pods }, [forecast({ horizon: "10m" }, { pacing })]).decision.moves;
    const [first, second] = decide({}).map(({ startAtMs }) => startAtMs);
    // 20 s and 30 s at most; the pause of 30 s and an evaluation between.
    expect(((second ?? 0) - (first ?? 0)) / 1000).toBeGreaterThanOrEqual(50 + 30 + 15);
    const together = decide({ strategy: "Concurrent" }).map(({ startAtMs }) => startAtMs);
    expect(together).toEqual([second, second]);
  });
});

describe("how much is moved", () => {
  it("is what a move may rest on, not what is feared for want of history", () => {
    // Half a horizon of history: the forecast alone counts, 5 GB too many; the bound of so short a series is far above it.
    const short = (now: number, perMinute: number) => growing(now, perMinute, 4);
    const pods = [pod("small", "z2", undefined, short(8, 0)), pod("large", "z2", undefined, short(40, 0))];
    const nodes = [node("z2", { ...big, ...short(90, 2) }), node("z1", { ...big, ...steady(5) })];
    const selection = { strategy: "BigEnough" as const };
    const { decision } = evaluate({ timeMs: NOW_MS, nodes, pods, moves: [] }, [forecast({}, { selection })]);
    expect(decision.nodes[0]?.pressureBytes).toBeGreaterThan(8 * GB);
    expect(brief(decision.moves)).toEqual(["small→z1"]);
  });
});
