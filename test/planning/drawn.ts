/** Clusters and policies that are drawn at random, and what becomes of them when a plan is carried out. */
import fc from "fast-check";
import type { Evaluation } from "../../src/planning/decision.ts";
import type {
  ClusterSnapshot,
  Figure,
  MoveSnapshot,
  NodeSnapshot,
  PodSnapshot,
  Series,
} from "../../src/planning/snapshot.ts";
import { NOW_MS, node, pod, policy } from "./fixtures.ts";

const usage = fc.integer({ min: 0, max: 60 });
const age = fc.constantFrom(0, 5_000, 120_000);

interface Shape {
  slope: number;
  noise: number;
  seed: number;
}
type ShapeArb = fc.Arbitrary<Shape | null>;

/** Half an hour every 30 s up to `used` now: growing, shrinking or neither, with some noise. */
const seriesArb: fc.Arbitrary<Shape> = fc.record({
  slope: fc.constantFrom(0, 0, 0.5, 2, -1),
  noise: fc.constantFrom(0, 1, 4),
  seed: fc.nat(99),
});

function seriesTo(used: number, shape: Shape): Series {
  const length = 61;
  const timesMs = Float64Array.from({ length }, (_, index) => NOW_MS - (length - 1 - index) * 30_000);
  const noisy = (index: number) => shape.noise * ((((index + 1) * 7919 + shape.seed * 104_729) % 1000) / 1000 - 0.5);
  const at = (index: number) =>
    used - (shape.slope * (length - 1 - index)) / 2 + (index < length - 1 ? noisy(index) : 0);
  return { timesMs, bytes: timesMs.map((_, index) => Math.max(0, at(index))) };
}

/** With a series, as far as one is drawn, that ends at the figure. */
function withSeries<F extends Figure>(figure: F, shape: Shape | null): F {
  const { usedBytes, sampledAtMs = NOW_MS } = figure;
  if (shape === null || usedBytes === undefined) return figure;
  const series = seriesTo(usedBytes, shape);
  return { ...figure, series: { ...series, timesMs: series.timesMs.map((time) => time - (NOW_MS - sampledAtMs)) } };
}

const nodeArb = (name: string, shapes: ShapeArb): fc.Arbitrary<NodeSnapshot> =>
  fc
    .record({
      capacityBytes: fc.constantFrom(100, 150),
      used: fc.option(fc.integer({ min: 0, max: 120 })),
      age,
      unschedulable: fc.boolean(),
      ready: fc.constantFrom(true, true, true, false),
      maxPods: fc.constantFrom(3, 110),
      shape: shapes,
    })
    .map(({ used, age: ageMs, shape, ...more }) => {
      const figure = { usedBytes: used ?? undefined, sampledAtMs: used === null ? undefined : NOW_MS - ageMs };
      return node(name, { ...more, ...withSeries(figure, shape) });
    });

const podArb = (name: string, shapes: ShapeArb): fc.Arbitrary<PodSnapshot> =>
  fc
    .record({
      on: fc.constantFrom("n0", "n1", "n2", "n3"),
      used: fc.option(usage),
      age,
      app: fc.constantFrom("a", "b"),
      requestBytes: fc.constantFrom(0, 20),
      migrations: fc.integer({ min: 0, max: 3 }),
      growthBytesPerMinute: fc.constantFrom(0, 0, 1, -2, 5),
      optedOut: fc.constantFrom(false, false, true),
      phase: fc.constantFrom("Running" as const, "Running" as const, "Pending" as const),
      shape: shapes,
    })
    .map(({ on, used, age: ageMs, app, optedOut, shape, ...more }) =>
      pod(name, on, used ?? undefined, {
        ...more,
        ...withSeries({ usedBytes: used ?? undefined, sampledAtMs: used === null ? undefined : NOW_MS - ageMs }, shape),
        labels: { app },
        annotations: optedOut ? { "headroom.dev/move": "false" } : {},
      }),
    );

const moveArb = (name: string): fc.Arbitrary<MoveSnapshot> =>
  fc.record({
    namespace: fc.constant("default"),
    name: fc.constant(name),
    pod: fc.constantFrom("p0", "p1", "gone"),
    podUID: fc.constantFrom("uid-p0", "uid-p1", "uid-gone"),
    from: fc.constantFrom("n0", "n1"),
    to: fc.constantFrom("n2", "n3"),
    memoryBytes: usage,
    phase: fc.constantFrom("Succeeded" as const, "Failed" as const, "RolledBack" as const),
    finishedAtMs: fc.integer({ min: NOW_MS - 400_000, max: NOW_MS - 31_000 }),
  });

const each = <T>(count: number, of: (index: number) => fc.Arbitrary<T>) =>
  fc.tuple(...Array.from({ length: count }, (_, index) => of(index))) as fc.Arbitrary<T[]>; // a tuple of one type

const snapshots = (shapes: ShapeArb): fc.Arbitrary<ClusterSnapshot> =>
  fc.record({
    timeMs: fc.constant(NOW_MS),
    nodes: each(4, (index) => nodeArb(`n${index}`, shapes)),
    pods: each(10, (index) => podArb(`p${index}`, shapes)),
    moves: each(2, (index) => moveArb(`m${index}`)),
  });

export const policiesFor = (pressures: readonly ("Threshold" | "Slope" | "Forecast")[]) =>
  fc
    .record({
      freeBelow: fc.constantFrom("10%", "30%", "50%"),
      margin: fc.constantFrom("0%", "5%"),
      strategy: fc.constantFrom(
        "Max" as const,
        "Optimal" as const,
        "BigEnough" as const,
        "Slope" as const,
        "Cheapest" as const,
      ),
      pressure: fc.constantFrom(...pressures),
      model: fc.constantFrom(
        "LastValue" as const,
        "Linear" as const,
        "Holt" as const,
        "Percentile" as const,
        "Auto" as const,
      ),
      placement: fc.constantFrom("MostFree" as const, "BestFit" as const, "LeastLoaded" as const),
      pacing: fc.constantFrom("Blocking" as const, "Concurrent" as const),
      most: fc.integer({ min: 1, max: 10 }),
      gate: fc.boolean(),
    })
    .map(({ freeBelow, margin, strategy, pressure, model, placement, pacing, most, gate }) => {
      const spec = {
        pressure: { strategy: pressure, freeBelow, ...(pressure === "Forecast" && { forecast: { model } }) },
        placement: { strategy: placement, margin },
        selection: strategy === "Slope" ? { strategy, slope: { growthAbove: "0Ki" } } : { strategy },
        pacing: { strategy: pacing, maxMovesPerEvaluation: most },
        ...(gate ? { schedulingGate: {} } : {}),
      };
      return [policy({ ...spec, podSelector: { matchLabels: { app: "a" } } }, "a"), policy(spec, "b")];
    });

/** Figures without series, and with. */
export const snapshotArb = snapshots(fc.constant(null));
export const snapshotWithSeriesArb = snapshots(fc.option(seriesArb));
/** Without noise: what goes on as before goes on as foreseen. */
export const foreseeableSnapshotArb = snapshots(fc.option(seriesArb.map((shape) => ({ ...shape, noise: 0 }))));
export const policiesArb = policiesFor(["Threshold", "Slope"]);

/** Measured again later: all has gone on as before, and what was moved is where it was planned to be. */
export function carriedOut(snapshot: ClusterSnapshot, { decision, memory }: Evaluation): ClusterSnapshot {
  const laterMs = 200_000;
  const going = new Map(decision.moves.map((one) => [one.podUID, one]));
  const moved = snapshot.pods.flatMap((one) => {
    const move = going.get(one.uid);
    return move === undefined ? [] : [{ ...move, use: useAfter(one) }];
  });
  const shift = (name: string) => (afterMs: number) =>
    moved.reduce((sum, { from, to, use }) => sum + (to === name ? use(afterMs) : from === name ? -use(afterMs) : 0), 0);
  const records = decision.moves.map((one, index) => ({
    namespace: one.namespace,
    name: `done-${index}`,
    pod: one.pod,
    podUID: one.podUID,
    lineage: one.lineage,
    from: one.from,
    to: one.to,
    memoryBytes: one.bytes,
    phase: "Succeeded" as const,
    startedAtMs: NOW_MS,
    finishedAtMs: NOW_MS + MOVED_AFTER_MS,
  }));
  return {
    timeMs: snapshot.timeMs + laterMs,
    nodes: snapshot.nodes.map((one) => ({ ...one, ...continued(one, laterMs, shift(one.name)) })),
    pods: snapshot.pods.map((one) => ({
      ...one,
      ...continued(one, laterMs, () => 0),
      node: going.get(one.uid)?.to ?? one.node,
    })),
    moves: [...snapshot.moves, ...records],
    memory,
  };
}

const MOVED_AFTER_MS = 60_000;

/** Along the straight line of its last samples; without a series it stays. */
function useAfter({ usedBytes = 0, series }: Figure): (afterMs: number) => number {
  const perMs = series === undefined ? 0 : ((series.bytes.at(-1) ?? 0) - (series.bytes.at(-2) ?? 0)) / 30_000;
  return (afterMs) => Math.max(0, usedBytes + perMs * afterMs);
}

/** `shift`: so much more from the move's end on. */
function continued(figure: Figure, laterMs: number, shift: (afterMs: number) => number): Partial<Figure> {
  const { usedBytes, sampledAtMs, series } = figure;
  if (usedBytes === undefined || sampledAtMs === undefined) return {};
  const use = useAfter(figure);
  const at = (afterMs: number) => Math.max(0, use(afterMs) + (afterMs >= MOVED_AFTER_MS ? shift(afterMs) : 0));
  const now = { usedBytes: at(laterMs), sampledAtMs: sampledAtMs + laterMs };
  if (series === undefined) return now;
  const times = Array.from({ length: laterMs / 20_000 }, (_, index) => (index + 1) * 20_000);
  return {
    ...now,
    series: {
      timesMs: Float64Array.from([...series.timesMs, ...times.map((afterMs) => sampledAtMs + afterMs)]),
      bytes: Float64Array.from([...series.bytes, ...times.map(at)]),
    },
  };
}
