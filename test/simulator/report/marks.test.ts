import { describe, expect, it } from "vitest";
import { marksOf } from "../../../src/simulator/report/html/marks.ts";
import type { DecisionRecord, RunEvent, RunRecord } from "../../../src/simulator/run-record.ts";

const nodes = ["a", "b"].map((node) => {
  return { node, capacityBytes: 100, meanUsedBytes: 0, peakUsedBytes: 0, aboveReserveByteSeconds: 0 };
});

/** An evaluation every 60 s. */
function marks(events: RunEvent[], decisions: DecisionRecord[] = []) {
  const run: RunRecord = {
    variant: "p",
    seed: 1,
    endSeconds: 600,
    events,
    pods: [],
    nodes,
    reserve: 0,
    evaluations: 10,
  };
  return marksOf(run, decisions);
}

const planned = {
  namespace: "d",
  pod: "w",
  podUID: "u",
  lineage: "u",
  from: "a",
  to: "b",
  bytes: 5,
  policy: "p",
  startAtMs: 60_000,
  expectedSeconds: 9,
  reason: "NodeShortOfMemory",
  message: "why",
};
const started: RunEvent = {
  kind: "MoveStarted",
  seconds: 60,
  pod: "d/w",
  from: "a",
  to: "b",
  bytes: 5,
  policy: "p",
  move: planned,
};
const full = (seconds: number): RunEvent => ({ kind: "NodesFull", seconds, node: "a", policy: "p" });

describe("a run's marks", () => {
  it("join a move's start and end, and name the decision", () => {
    const ended: RunEvent = {
      kind: "MoveEnded",
      seconds: 80,
      pod: "d/w",
      from: "a",
      to: "b",
      bytes: 5,
      outcome: "RolledBack",
      frozenSeconds: 4,
      tookSeconds: 20,
    };
    const decision = { seconds: 60, moves: [planned], nodes: [], refusals: [] };
    expect(marks([started, ended], [{ ...decision, seconds: 0 }, decision])).toEqual([
      {
        kind: "Move",
        at: 60,
        end: 80,
        outcome: "RolledBack",
        frozenSeconds: 4,
        pod: "d/w",
        from: 0,
        to: 1,
        bytes: 5,
        policy: "p",
        reason: "NodeShortOfMemory",
        message: "why",
        decision: 1,
      },
    ]);
  });

  it("leave a move without an end that was under way when the run ended", () => {
    const [mark] = marks([started]);
    expect(mark).not.toHaveProperty("end");
    expect(mark).not.toHaveProperty("decision");
  });

  it("make one stretch of a gate that closes and opens", () => {
    const closed: RunEvent = { kind: "GateClosed", seconds: 60, node: "b", policy: "p" };
    const opened: RunEvent = { kind: "GateOpened", seconds: 300, node: "b", policy: "p" };
    expect(marks([closed, opened])).toEqual([{ kind: "Gate", at: 60, end: 300, node: 1, policy: "p" }]);
  });

  it("join evaluations one after the other that found no room, and no others", () => {
    expect(marks([full(60), full(120), full(180), full(420)])).toEqual([
      { kind: "NodesFull", at: 60, end: 240, node: 0, policy: "p", times: 3 },
      { kind: "NodesFull", at: 420, end: 480, node: 0, policy: "p", times: 1 },
    ]);
  });

  it("say what a kill threw away, and keep those at a pod's own limit apart", () => {
    const lost = { seconds: 30, byteSeconds: 300 };
    const kill: RunEvent = { kind: "Killed", seconds: 10, pod: "d/w", node: "b", cause: "NodeOutOfMemory", lost };
    const mark = { at: 10, node: 1, pod: "d/w", lostSeconds: 30, lostByteSeconds: 300 };
    expect(marks([kill, { ...kill, cause: "OverLimit" }])).toEqual([
      { ...mark, kind: "Kill" },
      { ...mark, kind: "LimitKill" },
    ]);
  });
});
