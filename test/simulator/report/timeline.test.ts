import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packFigures, timelineOf, UNITS_PER_CAPACITY } from "../../../src/simulator/report/html/timeline.ts";
import type { RunRecord } from "../../../src/simulator/run-record.ts";

function recorded(seconds: number[], used: number[], endSeconds: number): RunRecord {
  const node = { node: "a", capacityBytes: 100, meanUsedBytes: 0, peakUsedBytes: 0, aboveReserveByteSeconds: 0 };
  return {
    variant: "none",
    seed: 1,
    endSeconds,
    events: [],
    pods: [],
    nodes: [{ ...node, usedBytes: Float64Array.from(used) }],
    reserve: 0,
    evaluations: 0,
    recordedSeconds: Float64Array.from(seconds),
  };
}

const shares = (run: RunRecord, buckets: number) =>
  [...timelineOf(run, buckets).figures].map((figure) => figure / UNITS_PER_CAPACITY);

describe("a node's memory, made small", () => {
  it("keeps the highest use of each stretch", () => {
    const run = recorded([0, 10, 20, 30, 40, 50], [10, 90, 20, 30, 30, 5], 60);
    expect(shares(run, 3)).toEqual([0.9, 0.3, 0.3]);
    expect(timelineOf(run, 3).bucketSeconds).toBe(20);
  });

  it("has no more figures than were recorded", () => {
    expect(shares(recorded([0, 30], [10, 20], 60), 100)).toEqual([0.1, 0.2]);
  });

  it("joins whole records only, so that what happened in a stretch is in its figure", () => {
    const run = recorded([0, 10, 20, 30, 40], [10, 20, 30, 40, 50], 45);
    expect(shares(run, 4)).toEqual([0.2, 0.4, 0.5]);
    expect(timelineOf(run, 4).bucketSeconds).toBe(20);
    expect(timelineOf(run, 5).bucketSeconds).toBe(10);
  });

  it("counts use above capacity", () => {
    expect(shares(recorded([0, 60], [100, 150], 120), 2)).toEqual([1, 1.5]);
  });

  it("loses no peak, however few figures there are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        (used, buckets) => {
          const run = recorded(
            used.map((_, at) => at * 10),
            used,
            used.length * 10,
          );
          expect(Math.max(...shares(run, buckets))).toBeCloseTo(Math.max(...used) / 100);
        },
      ),
    );
  });
});

describe("packed figures", () => {
  /** As ./page/run.js reads them. */
  function unpacked(packed: Uint8Array, buckets: number): number[] {
    const half = packed.length / 2;
    let figure = 0;
    return Array.from({ length: half }, (_, at) => {
      if (at % buckets === 0) figure = 0;
      const zigzag = (packed[at] ?? 0) | ((packed[half + at] ?? 0) << 8);
      figure = (figure + ((zigzag >>> 1) ^ -(zigzag & 1))) & 0xffff;
      return figure;
    });
  }

  it("come back as they were", () => {
    const rows = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5 }));
    const table = rows.chain(([buckets, nodes]) =>
      fc.tuple(fc.constant(buckets), fc.uint16Array({ minLength: buckets * nodes, maxLength: buckets * nodes })),
    );
    fc.assert(
      fc.property(table, ([buckets, figures]) => {
        expect(unpacked(packFigures(figures, buckets), buckets)).toEqual([...figures]);
      }),
    );
  });
});
