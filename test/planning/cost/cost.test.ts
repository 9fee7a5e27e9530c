import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { latestSafeStart, latestSafeStarts } from "../../../src/planning/cost/latest-start.ts";
import { learnMoveCosts, PRIOR_COST } from "../../../src/planning/cost/move-costs.ts";
import type { MoveSnapshot } from "../../../src/planning/snapshot.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const GB = 1e9;

function moved(index: number, bytes: number, seconds: number, more: Partial<MoveSnapshot> = {}): MoveSnapshot {
  const finishedAtMs = NOW_MS - index * 60_000;
  return {
    namespace: "default",
    name: `m${index}`,
    pod: "p",
    from: "a",
    to: "b",
    memoryBytes: bytes,
    phase: "Succeeded",
    startedAtMs: finishedAtMs - seconds * 1000,
    finishedAtMs,
    ...more,
  };
}

/** Moves of 1 to 10 GB that took 4 s and 1.5 s per GB. */
const ordinary = Array.from({ length: 20 }, (_, index) =>
  moved(index, (1 + (index % 10)) * GB, 4 + 1.5 * (1 + (index % 10))),
);
const ask = { bytes: 6 * GB, from: "a", to: "b" };

describe("without a finished move", () => {
  it("a move takes 3.3506 s per GB, as the predecessor had it", () => {
    expect(Math.ceil(learnMoveCosts([]).expect({ ...ask, bytes: 10 * GB }).seconds)).toBe(34);
    expect(Math.ceil(learnMoveCosts([]).expect({ ...ask, bytes: 20 * GB }).seconds)).toBe(68);
    expect(learnMoveCosts([]).expect(ask).basis).toBe("Prior");
  });
});

describe("from finished moves", () => {
  it("fixed part and rate are found", () => {
    const { cluster } = learnMoveCosts(ordinary);
    expect(cluster.fixedSeconds).toBeCloseTo(4, 6);
    expect(cluster.secondsPerByte * GB).toBeCloseTo(1.5, 6);
    expect(cluster.moves).toBe(20);
  });

  it("a few that stalled don't count, but widen the margin", () => {
    const stalled = ordinary.map((move, index) => (index % 6 === 0 ? moved(index, move.memoryBytes, 300) : move));
    const { cluster } = learnMoveCosts(stalled);
    expect(cluster.secondsPerByte * GB).toBeCloseTo(1.5, 1);
    expect(cluster.marginSeconds).toBeGreaterThan(200);
  });

  it("one that its program did not survive teaches what any other does: the transfer went well", () => {
    const failed = ordinary.map((move) => ({ ...move, programFailed: true }));
    expect(learnMoveCosts(failed).cluster).toEqual(learnMoveCosts(ordinary).cluster);
  });

  it("those that were rolled back teach nothing, though their freeze is on record", () => {
    const rolledBack = moved(0, 6 * GB, 500, { phase: "RolledBack", freezeMilliseconds: 400_000 });
    expect(learnMoveCosts([...ordinary, rolledBack]).cluster).toEqual(learnMoveCosts(ordinary).cluster);
  });

  it("one move changes little", () => {
    const { seconds } = learnMoveCosts([moved(0, 6 * GB, 500)]).expect(ask);
    expect(seconds).toBeCloseTo(6 * 3.3506, 6);
  });

  it("moves of one size that were faster than the prior make it faster", () => {
    const same = Array.from({ length: 10 }, (_, index) => moved(index, 6 * GB, 6));
    expect(learnMoveCosts(same).expect(ask).seconds).toBeCloseTo(6, 6);
    expect(learnMoveCosts(same).expect({ ...ask, bytes: 0 }).seconds).toBe(0);
  });

  it("a pair of nodes is judged by its own moves once there are five", () => {
    const slow = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        moved(100 + index, (2 + index) * GB, 10 * (2 + index), { to: "far" }),
      );
    expect(learnMoveCosts([...ordinary, ...slow(4)]).expect({ ...ask, to: "far" }).basis).toBe("Cluster");
    const expected = learnMoveCosts([...ordinary, ...slow(8)]).expect({ ...ask, to: "far" });
    expect(expected.basis).toBe("NodePair");
    expect(expected.seconds).toBeGreaterThan(40);
    expect(learnMoveCosts([...ordinary, ...slow(8)]).expect({ ...ask, to: "near" }).seconds).toBeLessThan(20);
  });

  it("only succeeded moves with plausible times teach", () => {
    const useless = [
      moved(1, 6 * GB, 1, { phase: "RolledBack" }),
      moved(2, 6 * GB, -5),
      moved(3, 0, 5),
      moved(4, Number.NaN, 5),
      moved(5, 6 * GB, 1e6),
      moved(6, 6 * GB, Number.NaN),
    ];
    expect(learnMoveCosts(useless).cluster).toEqual(PRIOR_COST);
  });

  const anyMove = fc
    .record({
      index: fc.nat(50),
      bytes: fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.constantFrom(Number.NaN, -1, 1e300)),
      seconds: fc.oneof(fc.double({ min: -10, max: 1e5, noNaN: true }), fc.constantFrom(Number.NaN, 1e-9)),
      to: fc.constantFrom("b", "c"),
    })
    .map(({ index, bytes, seconds, to }) => moved(index, bytes, seconds, { to }));

  it("whatever they are: numbers, more for more bytes, and not by their order", () => {
    fc.assert(
      fc.property(fc.array(anyMove, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (moves, keys) => {
        const shuffled = moves
          .map((move) => ({ move, key: keys.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ move }) => move);
        const [one, other] = [learnMoveCosts(moves), learnMoveCosts(shuffled)];
        const small = one.expect({ ...ask, bytes: GB });
        const big = one.expect(ask);
        expect(other.expect(ask)).toEqual(big);
        expect(Number.isFinite(big.atMostSeconds)).toBe(true);
        expect(small.seconds).toBeGreaterThanOrEqual(0);
        expect(big.seconds).toBeGreaterThanOrEqual(small.seconds);
        expect(big.atMostSeconds).toBeGreaterThanOrEqual(big.seconds);
        expect(Number.isFinite(one.expect({ ...ask, bytes: Number.NaN }).seconds)).toBe(true);
      }),
    );
  });
});

describe("the latest safe start", () => {
  const deadline = { nowMs: NOW_MS, deadlineMs: NOW_MS + 300_000, slackSeconds: 15 };

  it("is the deadline less what the move takes at most", () => {
    expect(latestSafeStart(60, deadline)).toEqual({ ok: true, startAtMs: NOW_MS + 225_000 });
  });

  it("is now at the very last, and says by how much it is missed after that", () => {
    expect(latestSafeStart(285, deadline)).toEqual({ ok: true, startAtMs: NOW_MS });
    const missed = latestSafeStart(300, deadline);
    expect(missed).toMatchObject({ ok: false, reason: "TooLate", lateBySeconds: 15 });
    expect(missed.ok ? "" : missed.message).toBe("a move of up to 300s would end 15s after memory may run out");
  });

  it("of several is one after the other", () => {
    expect(latestSafeStarts([60, 100], deadline)).toEqual([
      { ok: true, startAtMs: NOW_MS + 125_000 },
      { ok: true, startAtMs: NOW_MS + 185_000 },
    ]);
  });

  it("of several that don't all fit in time says so of every one that is late", () => {
    const starts = latestSafeStarts([200, 100], deadline);
    expect(starts.map(({ ok }) => ok)).toEqual([false, false]);
    expect(latestSafeStarts([], deadline)).toEqual([]);
  });
});
