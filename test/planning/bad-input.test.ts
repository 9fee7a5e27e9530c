/** What is wrong in a snapshot, under every way to find pressure: data is never refused, never believed beyond what it shows, and told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusterSnapshotSchema } from "../../src/api/v1alpha1/cluster-snapshot.ts";
import { evaluate } from "../../src/planning/evaluate.ts";
import { PLACEMENT_STRATEGIES } from "../../src/planning/placement/strategies.ts";
import { SELECTION_STRATEGIES } from "../../src/planning/selection/strategies.ts";
import type { ClusterSnapshot, Series } from "../../src/planning/snapshot.ts";
import { readSnapshot } from "../../src/planning/written-snapshot/read-snapshot.ts";
import { NOW_MS, node, pod, policy, type SpecInput } from "./fixtures.ts";

const PRESSURES = {
  Threshold: { strategy: "Threshold", freeBelow: "20%" },
  Slope: { strategy: "Slope", freeBelow: "20%" },
  Forecast: { strategy: "Forecast", freeBelow: "20%", forecast: { horizon: "5m" } },
} as const satisfies Record<string, SpecInput["pressure"]>;

const at = (secondsAgo: number) => new Date(NOW_MS - secondsAgo * 1000).toISOString();
type Sample = { time: string; bytes: number | string | null };
/** Every 15 s for half an hour, up to now. */
const level = (bytes: number): Sample[] =>
  Array.from({ length: 121 }, (_, index) => ({ time: at((120 - index) * 15), bytes }));

/** Node z2 has 10 of 100 free and runs a pod of 30; z1 is big and empty. */
function decide(more: { series?: Sample[]; nodes?: object[]; pods?: object[]; moves?: object[] }, spec: SpecInput) {
  const written = clusterSnapshotSchema.parse({
    apiVersion: "headroom.dev/v1alpha1",
    kind: "ClusterSnapshot",
    time: new Date(NOW_MS).toISOString(),
    nodes: more.nodes ?? [
      { name: "z2", capacity: 100, series: more.series ?? level(90) },
      { name: "z1", capacity: 1000, series: level(10) },
    ],
    pods: [{ namespace: "d", name: "w", node: "z2", series: level(30) }, ...(more.pods ?? [])],
    moves: more.moves ?? [],
  });
  return evaluate(readSnapshot(written), [policy(spec)]).decision;
}

describe.each(Object.entries(PRESSURES))("under %s", (_, pressure) => {
  const spec = { pressure };
  const clean = decide({}, spec);

  it("a clean snapshot leads to a move, to begin with", () => {
    expect(clean.moves.map(({ pod: name, to }) => `${name}→${to}`)).toEqual(["w→z1"]);
  });

  it.each<[string, Sample[]]>([
    ["out of order", level(90).toReversed()],
    ["listed twice", [...level(90), ...level(90)]],
    ["twice for one moment, once with less", [...level(90), { time: at(0), bytes: 20 }]],
    ["missing in places", level(90).map((sample, index) => (index % 7 === 3 ? { ...sample, bytes: null } : sample))],
    ["negative in the past", [...level(90), { time: at(7), bytes: "-5" }]],
    ["absurd in the past", [...level(90), { time: at(7), bytes: "900Ti" }]],
  ])("samples that are %s change nothing", (_, series) => {
    expect(decide({ series }, spec).moves).toEqual(clean.moves);
  });

  it.each<[string, Sample[], string]>([
    ["negative", [...level(90).slice(0, -1), { time: at(0), bytes: -5 }], "MetricsImplausible"],
    ["absurd", [...level(90).slice(0, -1), { time: at(0), bytes: "900Ti" }], "MetricsImplausible"],
    ["of the future", [...level(90), { time: at(-60), bytes: 90 }], "MetricsImplausible"],
    ["missing for long", level(90).slice(0, 60), "MetricsStale"],
    ["not there at all", [], "MetricsMissing"],
  ])("a node whose newest samples are %s is left alone, and that is told", (_, series, reason) => {
    const { moves, nodes, outcome } = decide({ series }, spec);
    expect([moves, outcome]).toEqual([[], "NothingToDo"]);
    expect(nodes.find(({ name }) => name === "z2")).toMatchObject({ reason, freeBytes: undefined, pressureBytes: 0 });
  });

  it.each<[string, object, string]>([
    ["has no capacity", { capacity: 0, used: 0 }, "MetricsImplausible"],
    ["is listed twice", { capacity: 1000, used: 0 }, "MetricsImplausible"],
    ["has a future figure", { capacity: 1000, used: 0, sampledAt: at(-60) }, "MetricsImplausible"],
    ["has an old figure", { capacity: 1000, used: 0, sampledAt: at(600) }, "MetricsStale"],
    ["has no figure", { capacity: 1000, series: [] }, "MetricsMissing"],
  ])("a node that %s is no target", (what, target, reason) => {
    const short = { name: "z2", capacity: 100, series: level(90) };
    const targets = what === "is listed twice" ? [target, target] : [target];
    const nodes = [short, ...targets.map((one) => ({ name: "z1", ...one }))];
    const decision = decide({ nodes }, spec);
    expect(decision.outcome).toBe("NodesFull");
    expect(decision.refusals).toContainEqual(expect.objectContaining({ node: "z1", reason }));
  });

  it("no nodes, pods of nodes that are not there, moves of nobody to nowhere: nothing to do, or nothing changes", () => {
    const lost = [{ namespace: "d", name: "lost", node: "gone", used: "1Ti" }];
    const moves = [
      {
        namespace: "d",
        pod: "nobody",
        from: "gone",
        to: "nowhere",
        memory: 5,
        phase: "Succeeded",
        finishedAt: at(-60),
      },
    ];
    expect(decide({ nodes: [], pods: lost, moves }, spec)).toMatchObject({ outcome: "NothingToDo", moves: [] });
    expect(decide({ pods: lost, moves }, spec).moves.length).toBeLessThanOrEqual(1);
    expect(decide({ pods: lost }, spec).moves).toEqual(clean.moves);
  });

  it("a pod listed twice is not moved", () => {
    const twice = [{ namespace: "d", name: "w", node: "z2", used: 30 }];
    const { moves, refusals } = decide({ pods: twice }, spec);
    expect(moves).toEqual([]);
    expect(refusals).toContainEqual(expect.objectContaining({ pod: "w", reason: "MetricsImplausible" }));
  });
});

describe("whatever its figures and rules are", () => {
  const bad = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 100 }) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, -1, -0, 1e300, Number.POSITIVE_INFINITY, 2 ** 53) },
  );
  const timeArb = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -240, max: 0 }).map((steps) => NOW_MS + steps * 15_000) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, 0, -1, NOW_MS + 1e9, Number.POSITIVE_INFINITY) },
  );
  const seriesArb: fc.Arbitrary<Series> = fc
    .tuple(fc.array(timeArb, { maxLength: 30 }), fc.array(bad, { maxLength: 30 }))
    .map(([times, bytes]) => ({ timesMs: Float64Array.from(times), bytes: Float64Array.from(bytes) }));
  const selectorArb = fc.constantFrom(undefined, {}, { matchLabels: { app: "x" } });
  const termArb = fc.record({
    topologyKey: fc.constantFrom("zone", "constructor", ""),
    labelSelector: selectorArb,
    namespaces: fc.constantFrom([], ["default"]),
  });
  const figureArb = fc.record({
    usedBytes: fc.option(bad, { nil: undefined }),
    sampledAtMs: fc.option(timeArb, { nil: undefined }),
    series: fc.option(seriesArb, { nil: undefined }),
  });
  const ruleArb = fc.record({
    podAntiAffinity: fc.array(termArb, { maxLength: 1 }),
    podAffinity: fc.array(termArb, { maxLength: 1 }),
    maxSkew: fc.constantFrom(0, 1, Number.NaN),
    spread: fc.constantFrom("zone", "none"),
  });
  const snapshotArb: fc.Arbitrary<ClusterSnapshot> = fc
    .record({
      nodes: fc.array(fc.tuple(figureArb, bad), { maxLength: 4 }),
      pods: fc.array(fc.tuple(figureArb, ruleArb, fc.integer({ min: 0, max: 4 }), bad), { maxLength: 8 }),
    })
    .map(({ nodes, pods }) => ({
      timeMs: NOW_MS,
      nodes: nodes.map(([{ series, ...figure }, capacityBytes], index) =>
        node(`n${index % 3}`, {
          ...figure,
          ...(series && { series }),
          capacityBytes,
          labels: { zone: `${index % 2}` },
        }),
      ),
      pods: pods.map(([{ series, ...figure }, { maxSkew, spread, ...affinity }, on, requestBytes], index) =>
        pod(`p${index % 6}`, `n${on}`, undefined, {
          ...figure,
          ...(series && { series }),
          requestBytes,
          labels: { app: index % 2 === 0 ? "x" : "y" },
          // Written so because a record's absent selector is undefined here.
          affinity: JSON.parse(JSON.stringify(affinity)),
          topologySpread: [{ maxSkew, topologyKey: spread, labelSelector: {} }],
        }),
      ),
      moves: [],
    }));
  const specArb: fc.Arbitrary<SpecInput> = fc.record({
    pressure: fc.constantFrom(
      ...Object.values(PRESSURES),
      ...(["LastValue", "Linear", "Holt", "Percentile"] as const).map((model) => ({
        ...PRESSURES.Forecast,
        forecast: { model },
      })),
    ),
    selection: fc.constantFrom(...SELECTION_STRATEGIES.map(({ name: strategy }) => ({ strategy }))),
    placement: fc.constantFrom(...PLACEMENT_STRATEGIES.map(({ name: strategy }) => ({ strategy, margin: "0%" }))),
    pacing: fc.constantFrom({ maxMovesPerEvaluation: 5 }),
    schedulingGate: fc.constantFrom({}, undefined),
  });

  it("nothing is thrown and every number that is told is one", () => {
    fc.assert(
      fc.property(snapshotArb, specArb, (snapshot, spec) => {
        const odd: unknown[] = [];
        JSON.stringify(evaluate(snapshot, [policy(spec)]), (key, item) => {
          if (typeof item === "number" && !Number.isFinite(item)) odd.push([key, item]);
          return item;
        });
        expect(odd).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});
