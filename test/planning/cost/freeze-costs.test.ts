import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { learnFreezeCosts } from "../../../src/planning/cost/freeze-costs.ts";
import type { MoveSnapshot } from "../../../src/planning/snapshot.ts";

const GB = 1e9;

function froze(index: number, memoryBytes: number, seconds: number, more: Partial<MoveSnapshot> = {}): MoveSnapshot {
  return {
    namespace: "default",
    name: `m${index}`,
    pod: "p",
    from: "a",
    to: "b",
    memoryBytes,
    phase: "Succeeded",
    finishedAtMs: 1_000_000 - index,
    freezeMilliseconds: seconds * 1000,
    ...more,
  };
}

/** Of 1 to 10 GB, frozen for 0.4 s and 1 s per GB. */
const fast = Array.from({ length: 20 }, (_, index) => froze(index, (1 + (index % 10)) * GB, 0.4 + 1 + (index % 10)));
const ask = (memoryBytes: number, filesBytes = 0, to = "b") => ({ from: "a", to, size: { memoryBytes, filesBytes } });

describe("before any move is on record, a freeze", () => {
  it("is expected at what 1 GbE carries", () => {
    const { milliseconds, bytesPerSecond, basis } = learnFreezeCosts([]).expect(ask(10 * GB));
    expect(milliseconds).toBe(85_500);
    expect(bytesPerSecond).toBeLessThan(125e6);
    expect(basis).toBe("Prior");
  });

  it("may turn out to be much shorter: only what is impossible on any link is sure", () => {
    expect(learnFreezeCosts([]).expect(ask(10 * GB)).atLeastMilliseconds).toBe(5_500);
  });

  it.each([
    [50, 500],
    [2_050, 4_500],
  ])("of a program of %i threads takes %i ms beside its memory, and none of that is sure", (threads, milliseconds) => {
    const size = { memoryBytes: 0, filesBytes: 0, threads };
    const expected = learnFreezeCosts([]).expect({ from: "a", to: "b", size });
    expect(expected).toMatchObject({ milliseconds, atLeastMilliseconds: 500 });
  });

  it("takes 10 s per GB of files", () => {
    expect(learnFreezeCosts([]).expect(ask(0, GB)).milliseconds).toBe(10_500);
  });
});

describe("from finished moves", () => {
  it("fixed part and rate are learnt, and are sure for pods of such sizes", () => {
    const expected = learnFreezeCosts(fast).expect(ask(5 * GB, 0, "c"));
    expect(expected.milliseconds).toBeCloseTo(5_400, -2);
    expect(expected).toMatchObject({ atLeastMilliseconds: expected.milliseconds, basis: "Cluster" });
  });

  it("nothing is sure about a pod that is much bigger than any that was moved", () => {
    const costs = learnFreezeCosts(fast);
    const { milliseconds, atLeastMilliseconds } = costs.expect(ask(50 * GB));
    expect(atLeastMilliseconds).toBeLessThan(milliseconds);
    expect(atLeastMilliseconds).toBeGreaterThan(costs.expect(ask(40 * GB)).atLeastMilliseconds);
  });

  it("a pair of nodes is judged by its own", () => {
    const far = Array.from({ length: 8 }, (_, i) => froze(100 + i, (1 + i) * GB, 50 * (1 + i), { to: "far" }));
    const costs = learnFreezeCosts([...fast, ...far]);
    expect(costs.expect(ask(5 * GB, 0, "far"))).toMatchObject({ basis: "NodePair" });
    expect(costs.expect(ask(5 * GB, 0, "far")).milliseconds).toBeGreaterThan(200_000);
    expect(costs.expect(ask(5 * GB, 0, "near")).milliseconds).toBeLessThan(7_000);
  });

  it("what was sent counts, not what was there", () => {
    const half = fast.map((move) => ({
      ...move,
      memoryBytes: 2 * move.memoryBytes,
      transferredBytes: move.memoryBytes,
    }));
    expect(learnFreezeCosts(half).expect(ask(5 * GB)).milliseconds).toBeCloseTo(5_400, -2);
  });

  it("the files' rate is what the memory's leaves over", () => {
    const files = Array.from({ length: 9 }, (_, i) => froze(50 + i, 2 * GB, 0.4 + 2 + 4 * 3, { filesBytes: 3 * GB }));
    const { milliseconds } = learnFreezeCosts([...fast, ...files]).expect(ask(1 * GB, 2 * GB));
    expect(milliseconds).toBeCloseTo(400 + 1_000 + 8_000, -2);
  });

  it("moves that were rolled back, or of which no freeze is known, teach nothing", () => {
    const useless = fast.flatMap(({ freezeMilliseconds: _, ...move }) => [
      move,
      { ...move, freezeMilliseconds: 1, phase: "RolledBack" as const },
    ]);
    expect(learnFreezeCosts(useless).expect(ask(5 * GB))).toEqual(learnFreezeCosts([]).expect(ask(5 * GB)));
  });
});

describe("moves that are under way", () => {
  const { freezeMilliseconds: _, ...under } = froze(0, GB, 1);
  const moving = (phase: MoveSnapshot["phase"], from: string, to: string) => ({ ...under, phase, from, to });

  it.each([
    ["from the same node", [moving("Frozen", "a", "z")], 1],
    ["to the same node", [moving("Preparing", "z", "b"), moving("Frozen", "y", "b")], 2],
    ["elsewhere, or the other way round", [moving("Frozen", "b", "a"), moving("Frozen", "y", "z")], 0],
    ["that send nothing yet or any more", [moving("Preflight", "a", "b"), moving("Committed", "a", "b")], 0],
    ["from and to: the busier of the two links counts", [moving("Frozen", "a", "z"), moving("Frozen", "a", "b")], 2],
  ])("divide the rate when they send %s", (_, moves, sharedWith) => {
    const alone = learnFreezeCosts(fast).expect(ask(5 * GB));
    const shared = learnFreezeCosts([...fast, ...moves]).expect(ask(5 * GB));
    expect(shared.sharedWith).toBe(sharedWith);
    expect(shared.bytesPerSecond).toBeCloseTo(alone.bytesPerSecond / (1 + sharedWith), -2);
  });
});

describe("whatever is on record, the expected freeze", () => {
  const anyMove = fc
    .record({
      index: fc.nat(50),
      bytes: fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.constantFrom(Number.NaN, -1, 1e300)),
      files: fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.constantFrom(Number.NaN, -1, 1e300)),
      seconds: fc.oneof(fc.double({ min: -10, max: 1e5, noNaN: true }), fc.constantFrom(Number.NaN, 1e-9)),
      to: fc.constantFrom("b", "c"),
      phase: fc.constantFrom("Succeeded" as const, "Succeeded" as const, "Frozen" as const),
    })
    .map(({ index, bytes, files, seconds, to, phase }) =>
      froze(index, bytes, seconds, { to, phase, filesBytes: files }),
    );
  const anySize = fc.record({ memoryBytes: fc.nat(2 ** 31), filesBytes: fc.nat(2 ** 31) });

  it("grows with the bytes, is a number, and does not depend on the order of the moves", () => {
    fc.assert(
      fc.property(fc.array(anyMove, { maxLength: 30 }), anySize, anySize, fc.nat(), (moves, size, more, turn) => {
        const at = moves.length === 0 ? 0 : turn % moves.length;
        const turned = [...moves.slice(at), ...moves.slice(0, at)].reverse();
        const [one, other] = [learnFreezeCosts(moves), learnFreezeCosts(turned)];
        const small = one.expect({ from: "a", to: "b", size });
        const bigger = {
          memoryBytes: size.memoryBytes + more.memoryBytes,
          filesBytes: size.filesBytes + more.filesBytes,
        };
        const big = one.expect({ from: "a", to: "b", size: bigger });
        expect(other.expect({ from: "a", to: "b", size })).toEqual(small);
        expect(Number.isFinite(small.milliseconds) && small.milliseconds >= 0).toBe(true);
        expect(big.milliseconds).toBeGreaterThanOrEqual(small.milliseconds);
        expect(small.atLeastMilliseconds).toBeLessThanOrEqual(small.milliseconds);
        expect(Number.isFinite(small.bytesPerSecond) && small.bytesPerSecond > 0).toBe(true);
      }),
    );
  });

  it("is never faster than the fastest move, nor slower than the slowest or 1 GbE", () => {
    const rates = fc.record({
      seconds: fc.double({ min: 0.5, max: 60, noNaN: true }),
      spread: fc.double({ min: 1, max: 3, noNaN: true }),
      count: fc.integer({ min: 0, max: 30 }),
    });
    fc.assert(
      fc.property(rates, fc.integer({ min: 1, max: 20 }), ({ seconds, spread, count }, gigabytes) => {
        const rateOf = (index: number) => (index % 2 === 0 ? seconds : seconds * spread);
        const of = (parity: number) =>
          Array.from({ length: count }, (_, i) => froze(2 * i + parity, (1 + i) * GB, (1 + i) * rateOf(parity)));
        const { milliseconds } = learnFreezeCosts([...of(0), ...of(1)]).expect(ask(gigabytes * GB));
        const [least, most] = [Math.min(seconds, 8.5), Math.max(seconds * spread, 8.5)];
        expect(milliseconds).toBeGreaterThanOrEqual(Math.floor(gigabytes * least * 1000 * 0.99));
        expect(milliseconds).toBeLessThanOrEqual(Math.ceil(500 + gigabytes * most * 1000 * 1.01));
      }),
    );
  });
});
