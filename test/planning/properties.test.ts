import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/planning/evaluate.ts";
import { knapsack } from "../../src/planning/selection/knapsack.ts";
import type { ClusterSnapshot, PodSnapshot } from "../../src/planning/snapshot.ts";
import { carriedOut, policiesArb, snapshotArb } from "./drawn.ts";
import { NOW_MS, node, pod, type policy } from "./fixtures.ts";

function freeBefore(snapshot: ClusterSnapshot, name: string): number {
  const found = snapshot.nodes.find((one) => one.name === name);
  const sum = snapshot.pods.filter((one) => one.node === name).reduce((total, one) => total + (one.usedBytes ?? 0), 0);
  return (found?.capacityBytes ?? 0) - (found?.usedBytes ?? sum);
}

describe("whatever the cluster", () => {
  it("no target is planned beyond its room, all moves together", () => {
    fc.assert(
      fc.property(snapshotArb, policiesArb, (snapshot, policies) => {
        const { moves } = evaluate(snapshot, policies).decision;
        for (const name of new Set(moves.map(({ to }) => to))) {
          const arriving = moves.filter(({ to }) => to === name);
          const taken = arriving.reduce((sum, { bytes }) => sum + bytes, 0);
          const capacity = snapshot.nodes.find((one) => one.name === name)?.capacityBytes ?? 0;
          const keep = Math.max(...arriving.map((one) => Math.min(keepOn(policies, one.policy, capacity))));
          expect(freeBefore(snapshot, name) - taken).toBeGreaterThanOrEqual(keep - 1e-6);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("nothing ineligible moves, and nothing moves twice or from a node whose figure is unreliable", () => {
    fc.assert(
      fc.property(snapshotArb, policiesArb, (snapshot, policies) => {
        const { moves } = evaluate(snapshot, policies).decision;
        expect(new Set(moves.map(({ podUID }) => podUID)).size).toBe(moves.length);
        for (const move of moves) {
          const moved = snapshot.pods.find(({ uid }) => uid === move.podUID);
          expect(moved).toMatchObject({ phase: "Running", annotations: {} });
          for (const figure of [
            moved,
            ...snapshot.nodes.filter(({ name }) => name === move.from || name === move.to),
          ]) {
            if (figure?.usedBytes !== undefined) expect(NOW_MS - (figure.sampledAtMs ?? 0)).toBeLessThanOrEqual(90_000);
          }
          const target = snapshot.nodes.find(({ name }) => name === move.to);
          expect(target).toMatchObject({ ready: true, unschedulable: false });
          expect(move.from).not.toBe(move.to);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("the order of its nodes, pods, moves and policies never matters", () => {
    fc.assert(
      fc.property(snapshotArb, policiesArb, fc.infiniteStream(fc.nat()), (snapshot, policies, numbers) => {
        const shuffle = <T>(list: readonly T[]) =>
          list
            .map((item) => ({ item, at: numbers.next().value ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ item }) => item);
        const shuffled = {
          ...snapshot,
          nodes: shuffle(snapshot.nodes),
          pods: shuffle(snapshot.pods),
          moves: shuffle(snapshot.moves),
        };
        expect(evaluate(shuffled, shuffle(policies))).toEqual(evaluate(snapshot, policies));
      }),
      { numRuns: 300 },
    );
  });

  it("that nobody asks for refusals changes nothing else", () => {
    fc.assert(
      fc.property(snapshotArb, policiesArb, (snapshot, policies) => {
        const told = evaluate(snapshot, policies);
        const decision = { ...told.decision, refusals: [], refusalsLeftOut: 0 };
        expect(evaluate(snapshot, policies, { refusals: false })).toEqual({ ...told, decision });
      }),
      { numRuns: 300 },
    );
  });

  it("a pod's or node's missing figure never makes a node look safer, nor has itself chosen", () => {
    fc.assert(
      fc.property(snapshotArb, policiesArb, fc.nat({ max: 13 }), (snapshot, policies, which) => {
        const without = {
          ...snapshot,
          pods: snapshot.pods.map((one, index) => (index === which ? blind(one) : one)),
          // Without own figures a node written by hand is the sum of its pods; what a metrics source misses stays missing.
          sources: measured(snapshot, which),
        };
        const full = { ...snapshot, sources: measured(snapshot, -1) };
        const [less, more] = [evaluate(without, policies).decision, evaluate(full, policies).decision];
        const lost = which < 10 ? snapshot.pods[which]?.uid : snapshot.nodes[which - 10]?.name;
        for (const move of less.moves) expect([move.podUID, move.from, move.to]).not.toContain(lost);
        for (const finding of less.nodes) {
          const before = more.nodes.find(({ name, policy: of }) => name === finding.name && of === finding.policy);
          expect(finding.pressureBytes).toBeLessThanOrEqual(before?.pressureBytes ?? -1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("lost memory makes no node a target whose gate it knew to be closed", () => {
    const gatesArb = fc.dictionary(fc.constantFrom("n0", "n1", "n2", "n3"), fc.constantFrom("a", "b"));
    fc.assert(
      fc.property(snapshotArb, policiesArb, gatesArb, (snapshot, policies, gates) => {
        const known = evaluate({ ...snapshot, memory: { version: 1, gates } }, policies).decision;
        const closed = known.gates.filter((gate) => gate.closed).map((gate) => gate.node);
        for (const { to } of evaluate(snapshot, policies).decision.moves) expect(closed).not.toContain(to);
      }),
      { numRuns: 2000 },
    );
  });

  it("all numbers in the answer are finite and nothing is thrown, however absurd the figures", () => {
    const absurd = fc.constantFrom(Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY, undefined);
    fc.assert(
      fc.property(
        snapshotArb,
        policiesArb,
        fc.array(absurd, { minLength: 24, maxLength: 24 }),
        (snapshot, policies, bad) => {
          const value = (index: number) => bad[index % bad.length];
          const broken = {
            ...snapshot,
            nodes: snapshot.nodes.map((one, i) => ({
              ...one,
              usedBytes: value(i),
              capacityBytes: value(i + 4) ?? 100,
              maxPods: value(i + 8) ?? 3,
            })),
            pods: [
              ...snapshot.pods.map((one, i) => ({
                ...one,
                usedBytes: value(i),
                requestBytes: value(i + 3) ?? 0,
                migrations: value(i + 5) ?? 0,
              })),
              pod("p0", "n0", 5),
              pod("lost", "nowhere", 5),
            ],
            moves: snapshot.moves.map((one, i) => ({ ...one, memoryBytes: value(i) ?? 0 })),
          };
          const numbers: number[] = [];
          JSON.stringify(evaluate(broken, policies), (_, item) => {
            if (typeof item === "number") numbers.push(item);
            return item;
          });
          const counted = numbers.filter((item) => !Number.isFinite(item));
          expect(counted).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a plan that is carried out", () => {
  it("yields nothing new: what it relieved stays relieved, and no target is short because of it", () => {
    let planned = 0;
    fc.assert(
      fc.property(snapshotArb, policiesArb, (drawn, policies) => {
        // More than everything cannot be used, nor relieved by as much as was asked for; and two nodes have plenty of room.
        const nodes = drawn.nodes.map((one, index) =>
          index >= 2
            ? node(one.name, { capacityBytes: 1000, allocatableBytes: 1000, usedBytes: 150 })
            : { ...one, usedBytes: Math.min(one.usedBytes ?? 90, one.capacityBytes), sampledAtMs: NOW_MS },
        );
        const first = evaluate({ ...drawn, nodes }, policies);
        const { moves, nodes: found } = first.decision;
        const freed = (name: string) => moves.reduce((sum, { from, bytes }) => sum + (from === name ? bytes : 0), 0);
        fc.pre(found.every(({ name, pressureBytes }) => freed(name) >= pressureBytes));
        planned += moves.length;
        const second = evaluate(carriedOut({ ...drawn, nodes }, first), policies);
        expect(second.decision.moves).toEqual([]);
      }),
      { numRuns: 500 },
    );
    expect(planned).toBeGreaterThan(30);
  });
});

describe("the knapsack", () => {
  const bruteForce = (items: { weight: number; value: number }[], capacity: number) => {
    let best = 0;
    for (let set = 0; set < 1 << items.length; set++) {
      const chosen = items.filter((_, index) => set & (1 << index));
      const weight = chosen.reduce((sum, item) => sum + item.weight, 0);
      if (weight <= capacity)
        best = Math.max(
          best,
          chosen.reduce((sum, item) => sum + item.value, 0),
        );
    }
    return best;
  };
  const itemArb = fc.record({ weight: fc.integer({ min: 1, max: 60 }), m: fc.integer({ min: 0, max: 2 }) });

  it("is as good as trying every set, whatever the unit of the weights", () => {
    fc.assert(
      fc.property(
        fc.array(itemArb, { maxLength: 10 }),
        fc.integer({ min: 1, max: 150 }),
        fc.constantFrom(1, 2 ** 20, 2 ** 30),
        (raw, capacity, unit) => {
          const items = raw.map(({ weight, m }) => ({ weight: weight * unit, value: 0.5 ** m * weight }));
          const chosen = knapsack(items, capacity * unit).map((index) => items[index]);
          const sum = (of: "weight" | "value") => chosen.reduce((total, item) => total + (item?.[of] ?? 0), 0);
          expect(sum("weight")).toBeLessThanOrEqual(capacity * unit);
          expect(sum("value")).toBeCloseTo(bruteForce(items, capacity * unit), 9);
        },
      ),
    );
  });

  it("never exceeds the capacity, and is as good as any set for a thousandth less, for weights without a common divisor", () => {
    const odd = fc.array(fc.integer({ min: 2 ** 28, max: 2 ** 34 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(odd, fc.integer({ min: 2 ** 30, max: 2 ** 35 }), (weights, capacity) => {
        const items = weights.map((weight) => ({ weight, value: weight }));
        const total = knapsack(items, capacity).reduce((sum, index) => sum + (weights[index] ?? 0), 0);
        expect(total).toBeLessThanOrEqual(capacity);
        expect(total).toBeGreaterThanOrEqual(bruteForce(items, capacity * 0.999));
      }),
      { numRuns: 30 },
    );
  });
});

function keepOn(policies: ReturnType<typeof policy>[], name: string, capacityBytes: number): number {
  const found = policies.find((one) => one.name === name);
  const part = (amount: { fraction: number } | { bytes: number } | undefined) =>
    amount && "fraction" in amount ? amount.fraction * capacityBytes : 0;
  return part(found?.freeBelow) + part(found?.margin);
}

function blind(one: PodSnapshot): PodSnapshot {
  return { ...one, usedBytes: undefined, sampledAtMs: undefined };
}

/** The same figures as from a metrics source, but for the one of this number: pods 0 to 9, then nodes. */
function measured(snapshot: ClusterSnapshot, without: number) {
  const figures = {
    pods: new Map(snapshot.pods.filter((_, index) => index !== without).map((one) => [one.uid, one])),
    nodes: new Map(snapshot.nodes.filter((_, index) => index + 10 !== without).map((one) => [one.name, one])),
  };
  return { InfluxDB: figures };
}
