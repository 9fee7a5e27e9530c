/** What holds for policies that forecast, whatever the cluster. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDue } from "../../src/planning/decision.ts";
import { evaluate } from "../../src/planning/evaluate.ts";
import type { Calibration } from "../../src/planning/forecast/calibration.ts";
import { KeptFits } from "../../src/planning/foresight/kept-fits.ts";
import type { ClusterSnapshot, NodeSnapshot, PlanningMemory, Series } from "../../src/planning/snapshot.ts";
import { carriedOut, foreseeableSnapshotArb, policiesFor, snapshotWithSeriesArb } from "./drawn.ts";
import { NOW_MS, node } from "./fixtures.ts";

const policiesArb = policiesFor(["Forecast"]);
const RUNS = { numRuns: 100 };
const LONG_MS = 60_000;

const pressureOf = ({ nodes }: ReturnType<typeof evaluate>["decision"], name: string, policy: string) =>
  nodes.find((one) => one.name === name && one.policy === policy)?.pressureBytes ?? Number.NaN;
const dueMoves = ({ moves, timeMs }: ReturnType<typeof evaluate>["decision"]) =>
  moves.filter((move) => isDue(move, timeMs));

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

describe("policies that forecast, whatever the cluster", () => {
  it(
    "the order of nodes, pods, moves and policies never matters",
    () => {
      fc.assert(
        fc.property(snapshotWithSeriesArb, policiesArb, (snapshot, policies) => {
          const turned = {
            ...snapshot,
            nodes: snapshot.nodes.toReversed(),
            pods: snapshot.pods.toReversed(),
            moves: snapshot.moves.toReversed(),
          };
          expect(evaluate(turned, policies.toReversed())).toEqual(evaluate(snapshot, policies));
        }),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "that nobody asks for refusals changes neither the decision nor what is remembered",
    () => {
      fc.assert(
        fc.property(snapshotWithSeriesArb, policiesArb, (snapshot, policies) => {
          const told = evaluate(snapshot, policies);
          const decision = { ...told.decision, refusals: [], refusalsLeftOut: 0 };
          expect(evaluate(snapshot, policies, { refusals: false })).toEqual({ ...told, decision });
        }),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "all numbers are finite and nothing is thrown, however absurd the samples and the memory",
    () => {
      const absurd = fc.constantFrom(Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY, 50);
      const absurdTime = fc.constantFrom(NOW_MS, NOW_MS - 60_000, NOW_MS + 1e9, Number.NaN, -1e308, 0);
      const absurdSeries: fc.Arbitrary<Series> = fc
        .array(fc.tuple(absurdTime, absurd), { maxLength: 12 })
        .map((samples) => ({
          timesMs: Float64Array.from(samples, ([time]) => time),
          bytes: Float64Array.from(samples, ([, bytes]) => bytes),
        }));
      const memoryArb = fc.constantFrom<unknown>(undefined, {}, { alpha: Number.NaN }, null, "x", { alpha: 1 });
      fc.assert(
        fc.property(
          snapshotWithSeriesArb,
          policiesArb,
          fc.array(absurdSeries, { minLength: 14, maxLength: 14 }),
          fc.option(absurdSeries),
          memoryArb,
          (snapshot, policies, bad, future, damaged) => {
            const broken: ClusterSnapshot = {
              ...snapshot,
              nodes: snapshot.nodes.map((one, index) => withBad(one, bad[index], future)),
              pods: snapshot.pods.map((one, index) => withBad(one, bad[index + 4], future)),
              // Memory that was damaged on its way: not of its type.
              memory: {
                version: 1,
                gates: {},
                forecasts: {
                  "InfluxDB Auto 0.95 300": { nodes: { n0: damaged } },
                  "InfluxDB Linear 0.95 300": damaged,
                },
              } as unknown as PlanningMemory,
            };
            const numbers: number[] = [];
            JSON.stringify(evaluate(broken, policies), (_, item) => {
              if (typeof item === "number") numbers.push(item);
              return item;
            });
            expect(numbers.filter((item) => !Number.isFinite(item))).toEqual([]);
          },
        ),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "fits that were kept change nothing, from one evaluation to the next",
    () => {
      fc.assert(
        fc.property(
          snapshotWithSeriesArb,
          policiesArb,
          fc.array(fc.nat({ max: 20 }), { maxLength: 4 }),
          (drawn, policies, cuts) => {
            const fits = new KeptFits();
            let memory: PlanningMemory | undefined;
            // The series grow from one to the next.
            for (const cut of [...cuts].sort((a, b) => b - a).concat(0)) {
              const part = <F extends { series?: Series }>(figure: F): F => ({
                ...figure,
                ...(figure.series && {
                  series: {
                    timesMs: figure.series.timesMs.slice(0, Math.max(1, figure.series.timesMs.length - cut)),
                    bytes: figure.series.bytes.slice(0, Math.max(1, figure.series.bytes.length - cut)),
                  },
                }),
              });
              const snapshot = {
                ...drawn,
                nodes: drawn.nodes.map(part),
                pods: drawn.pods.map(part),
                ...(memory && { memory }),
              };
              const anew = evaluate(snapshot, policies);
              expect(evaluate(snapshot, policies, { fits })).toEqual(anew);
              memory = anew.memory;
            }
          },
        ),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "lost memory makes no node look safer, and no node a target that was none",
    () => {
      fc.assert(
        fc.property(
          snapshotWithSeriesArb,
          policiesArb,
          fc.double({ min: 0, max: 1, noNaN: true }),
          (snapshot, policies, part) => {
            const first = evaluate(snapshot, policies);
            const narrower = (own: Record<string, Calibration>) =>
              mapValues(own, (one) => ({ ...one, alpha: part * 0.1 }));
            const forecasts = mapValues(first.memory.forecasts ?? {}, ({ nodes, pods }) => ({
              nodes: narrower(nodes),
              pods: narrower(pods),
            }));
            const known = evaluate({ ...snapshot, memory: { ...first.memory, forecasts } }, policies).decision;
            for (const { name, policy, pressureBytes } of known.nodes) {
              expect(pressureOf(first.decision, name, policy)).toBeGreaterThanOrEqual(pressureBytes - 1e-6);
            }
          },
        ),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "a series that is lost has nothing moved for it: what starts now is in need by what is known",
    () => {
      fc.assert(
        fc.property(snapshotWithSeriesArb, policiesArb, (snapshot, policies) => {
          const without: ClusterSnapshot = {
            ...snapshot,
            nodes: snapshot.nodes.map(({ series: _, ...one }) => one),
            pods: snapshot.pods.map(({ series: _, growthBytesPerMinute: __, ...one }) => one),
          };
          const { decision } = evaluate(without, policies);
          for (const { from } of dueMoves(decision)) {
            const short = decision.nodes.filter(({ name, pressureBytes }) => name === from && pressureBytes > 0);
            const limits = policies.map(({ freeBelow }) => ("fraction" in freeBelow ? freeBelow.fraction : 0));
            const isShortNow = short.some(
              ({ freeBytes = 0, capacityBytes }) => freeBytes < Math.max(...limits) * capacityBytes,
            );
            expect(isShortNow).toBe(true);
          }
        }),
        RUNS,
      );
    },
    LONG_MS,
  );

  it(
    "a plan that is carried out yields nothing new on its nodes when all goes on as foreseen",
    () => {
      let planned = 0;
      fc.assert(
        fc.property(foreseeableSnapshotArb, policiesArb, (drawn, policies) => {
          const nodes = drawn.nodes.map((one, index) =>
            index >= 2
              ? node(one.name, { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 150 })
              : withUse(one, Math.min(one.usedBytes ?? 90, one.capacityBytes)),
          );
          const first = evaluate({ ...drawn, nodes }, policies);
          const { moves, nodes: found } = first.decision;
          const freed = (name: string) => moves.reduce((sum, { from, bytes }) => sum + (from === name ? bytes : 0), 0);
          // By more than what was asked for: a pod that shrinks relieves by less than it uses now.
          fc.pre(found.every(({ name, pressureBytes }) => freed(name) >= 1.5 * pressureBytes));
          planned += moves.length;
          const second = evaluate(carriedOut({ ...drawn, nodes }, first), policies);
          const touched = new Set(moves.flatMap(({ from, to }) => [from, to]));
          expect(second.decision.moves.filter(({ from }) => touched.has(from))).toEqual([]);
        }),
        { numRuns: 100 },
      );
      expect(planned).toBeGreaterThan(0);
    },
    LONG_MS,
  );
});

/** Used now; a series that says otherwise is left out. */
function withUse({ series, ...one }: NodeSnapshot, usedBytes: number): NodeSnapshot {
  const fits = series !== undefined && usedBytes === one.usedBytes && one.sampledAtMs === NOW_MS;
  return { ...one, usedBytes, sampledAtMs: NOW_MS, ...(fits && { series }) };
}

function withBad<F extends object>(figure: F, series: Series | undefined, future: Series | null): F {
  return { ...figure, ...(series && { series }), ...(future && { future }) };
}
