import { inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { packRun, type RunBounds } from "../../../src/simulator/report/html/pack.ts";
import type { PageRun } from "../../../src/simulator/report/html/page-data.ts";
import type { DecisionRecord, RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";
import { fabricatedRun } from "./fabricated-report.ts";

const [template] = fabricatedRun("p", 2).decisions ?? [];
const moves = template?.moves ?? [];
const lost = { seconds: 1, byteSeconds: 1 };
const killed = (seconds: number): RunEvent => {
  return { kind: "Killed", seconds, pod: "d/w", node: "node-1", cause: "NodeOutOfMemory", lost };
};
const gated = (seconds: number): RunEvent => ({ kind: "GateClosed", seconds, node: "node-1", policy: "p" });
const full = (seconds: number): RunEvent => ({ kind: "NodesFull", seconds, node: "node-1", policy: "p" });
/** At 1, 2, 3 and so on. */
const each = <T>(count: number, make: (seconds: number) => T) => Array.from({ length: count }, (_, at) => make(at + 1));
const decided = (seconds: number, moving: boolean): DecisionRecord => {
  return { seconds, moves: moving ? moves : [], nodes: [], refusals: [] };
};

function packed(run: Partial<RunRecord>, bounds: Partial<RunBounds>): PageRun {
  const whole = { ...fabricatedRun("p", 2), decisions: [], events: [], evaluations: 0, ...run };
  const all = { buckets: 10, marks: 1000, decisions: 1000, refusalsPerDecision: 10, ...bounds };
  return JSON.parse(inflateRawSync(Buffer.from(packRun(whole, all).facts, "base64")).toString());
}

const marksOf = ({ marks }: PageRun) => marks.map(({ kind, at }) => [kind, at]);
const timesOf = ({ decisions }: PageRun) => decisions.map(({ seconds }) => seconds);

describe("a run of which the page holds a part", () => {
  it("has marks from its beginning to its end", () => {
    const run = packed({ events: each(100, full) }, { marks: 4 });
    expect(marksOf(run)).toEqual([25, 50, 75, 100].map((at) => ["NodesFull", at]));
    expect(run.marksLeftOut).toBe(96);
  });

  it("leaves out neither a kill nor a closed gate for anything else, and a gate for a kill", () => {
    const events = [...each(8, full), gated(9), killed(10), gated(11), killed(12)];
    expect(marksOf(packed({ events }, { marks: 6 }))).toEqual([
      ["NodesFull", 4],
      ["NodesFull", 8],
      ["Gate", 9],
      ["Kill", 10],
      ["Gate", 11],
      ["Kill", 12],
    ]);
    expect(marksOf(packed({ events }, { marks: 2 }))).toEqual([
      ["Kill", 10],
      ["Kill", 12],
    ]);
    expect(marksOf(packed({ events: each(9, killed) }, { marks: 3 }))).toEqual([3, 6, 9].map((at) => ["Kill", at]));
  });

  it("has decisions from its beginning to its end, those that move something before all others", () => {
    const all = each(100, (at) => decided(at, false));
    expect(timesOf(packed({ decisions: all }, { decisions: 2 }))).toEqual([50, 100]);
    const some = each(100, (at) => decided(at, at === 1 || at === 60));
    const run = packed({ decisions: some }, { decisions: 4 });
    expect(timesOf(run)).toEqual([1, 50, 60, 100]);
    expect(run.decisionsLeftOut).toBe(96);
  });

  it("has all of it where there is room", () => {
    const run = packed({ events: each(5, full), decisions: each(5, (at) => decided(at, true)) }, { marks: 5 });
    expect([marksOf(run).length, run.marksLeftOut, run.decisionsLeftOut]).toEqual([5, 0, 0]);
  });
});
