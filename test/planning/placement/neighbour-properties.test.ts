import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PlannedMove } from "../../../src/planning/decision.ts";
import { evaluate } from "../../../src/planning/evaluate.ts";
import type { PodTerm } from "../../../src/planning/scheduling-rules.ts";
import type { ClusterSnapshot, PodSnapshot } from "../../../src/planning/snapshot.ts";
import { NOW_MS, node, pod, policy } from "../fixtures.ts";

const NAMES = ["a1", "a2", "b1", "b2", "c1"];
const NODES = NAMES.map((name) => node(name, { labels: { zone: name.charAt(0), host: name } }));
const APPS = ["x", "y", "z"] as const;

const termArb: fc.Arbitrary<PodTerm> = fc.record({
  topologyKey: fc.constantFrom("zone", "host"),
  labelSelector: fc.constantFrom(...APPS.map((app) => ({ matchLabels: { app } }))),
});
const podArb = (name: string): fc.Arbitrary<PodSnapshot> =>
  fc
    .record({
      on: fc.constantFrom("a1", "a1", ...NAMES),
      used: fc.integer({ min: 1, max: 30 }),
      app: fc.constantFrom(...APPS),
      away: fc.array(termArb, { maxLength: 2 }),
      near: fc.option(termArb, { freq: 6 }),
      spread: fc.option(fc.constantFrom("zone", "host"), { freq: 6 }),
    })
    .map(({ on, used, app, away, near, spread }) =>
      pod(name, on, used, {
        labels: { app },
        affinity: {
          ...(away.length > 0 && { podAntiAffinity: away }),
          ...(near && { podAffinity: [near] }),
        },
        ...(spread && {
          topologySpread: [{ maxSkew: 1, topologyKey: spread, labelSelector: { matchLabels: { app } } }],
        }),
      }),
    );
const snapshotArb: fc.Arbitrary<ClusterSnapshot> = fc
  .tuple(...Array.from({ length: 12 }, (_, index) => podArb(`p${index}`)))
  .map((pods) => ({ timeMs: NOW_MS, nodes: NODES, pods, moves: [] }));

const strategyArb = fc.constantFrom("Max" as const, "Cheapest" as const);
const decide = (snapshot: ClusterSnapshot, strategy: "Max" | "Cheapest") =>
  evaluate(snapshot, [
    policy({
      pressure: { strategy: "Threshold", freeBelow: "40%" },
      placement: { margin: "0%" },
      selection: { strategy },
      pacing: { strategy: "Concurrent", concurrent: { maxPerNode: 9, maxPerCluster: 9 }, maxMovesPerEvaluation: 9 },
    }),
  ]).decision;

const labelOf = (name: string, key: string) => NODES.find((one) => one.name === name)?.labels[key];

/** Keeps away from the other, and is in one domain with it. */
function violates(holder: PodSnapshot, other: PodSnapshot): boolean {
  return (holder.affinity?.podAntiAffinity ?? []).some(
    ({ topologyKey, labelSelector }) =>
      labelSelector?.matchLabels?.app === other.labels.app &&
      labelOf(holder.node, topologyKey) === labelOf(other.node, topologyKey),
  );
}

function after(snapshot: ClusterSnapshot, moves: readonly PlannedMove[]): PodSnapshot[] {
  const going = new Map(moves.map(({ podUID, to }) => [podUID, to]));
  return snapshot.pods.map((one) => ({ ...one, node: going.get(one.uid) ?? one.node }));
}

describe("whatever rules pods have about each other", () => {
  it("none that was moved is beside one that it keeps away from, or that keeps away from it", () => {
    let moved = 0;
    fc.assert(
      fc.property(snapshotArb, strategyArb, (snapshot, strategy) => {
        const { moves } = decide(snapshot, strategy);
        const pods = after(snapshot, moves);
        for (const { podUID } of moves) {
          const one = pods.find(({ uid }) => uid === podUID);
          const others = pods.filter(({ uid }) => uid !== podUID);
          if (one === undefined) throw new Error("a pod that is not there was moved");
          expect(others.filter((other) => violates(one, other) || violates(other, one))).toEqual([]);
          moved += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(moved).toBeGreaterThan(50);
  });

  it("a pod that wants another near goes where one is that does not leave before it", () => {
    let moved = 0;
    fc.assert(
      fc.property(snapshotArb, strategyArb, (snapshot, strategy) => {
        const { moves } = decide(snapshot, strategy);
        for (const [index, { podUID, from, to }] of moves.entries()) {
          const gone = new Set(moves.slice(0, index + 1).map((one) => one.podUID));
          const stay = snapshot.pods.filter(({ uid }) => !gone.has(uid));
          const [near] = snapshot.pods.find(({ uid }) => uid === podUID)?.affinity?.podAffinity ?? [];
          if (near === undefined) continue;
          const { topologyKey, labelSelector } = near;
          const inDomain = (on: string) => labelOf(on, topologyKey) === labelOf(to, topologyKey);
          const neighbours = stay.filter(
            ({ node: on, labels }) => labels.app === labelSelector?.matchLabels?.app && inDomain(on),
          );
          expect(neighbours.length > 0 || inDomain(from)).toBe(true);
          moved += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(moved).toBeGreaterThan(20);
  });

  it("the order in which they are listed never matters", () => {
    fc.assert(
      fc.property(snapshotArb, strategyArb, fc.integer({ min: 1, max: 11 }), (snapshot, strategy, by) => {
        const turned = [...snapshot.pods.slice(by), ...snapshot.pods.slice(0, by)];
        const other = { ...snapshot, pods: turned, nodes: NODES.toReversed() };
        expect(decide(other, strategy)).toEqual(decide(snapshot, strategy));
      }),
      { numRuns: 100 },
    );
  });
});
