/** Events and metrics must tell of the moves what their objects do. */
import { describe, expect, it } from "vitest";
import { disagreements, type EndedMove, endedMoves, parseCounts, type Told } from "../e2e/chaos/agreement.ts";
import { NAMESPACE_DELETED } from "../e2e/chaos/faults/at-pods.ts";
import { fault, rolledBack, SUCCEEDED } from "./chaos-records.ts";

const ENDED: EndedMove = { namespace: "t", name: "m", phase: "Succeeded", podName: "w", troubled: false };
const EVENT = { kind: "PodMigration", namespace: "t", name: "m", reason: "Succeeded" };
const told = (events: Told["events"], byPhase: Record<string, number> = { Succeeded: 1, Failed: 0 }): Told => ({
  events,
  onRecord: { Succeeded: 1 },
  counted: [{ controller: "c-1", byPhase }],
});

const NO_EVENT = ["disagrees: no event tells that move t/m is Succeeded"];

describe("events and metrics", () => {
  it.each([
    ["an event on the move", [], [EVENT]],
    ["an event on its pod", [], [{ ...EVENT, kind: "Pod", name: "w", reason: "MoveSucceeded" }]],
    ["none", NO_EVENT, []],
    ["one of another phase", NO_EVENT, [{ ...EVENT, reason: "Committed" }]],
    ["one of another move", NO_EVENT, [{ ...EVENT, name: "n" }]],
    ["one in another namespace", NO_EVENT, [{ ...EVENT, namespace: "u" }]],
  ])("%s: %j", (_what, expected, events) => {
    expect(disagreements([ENDED], told(events))).toEqual(expected);
  });

  it("forgive an event that may have been lost with its controller", () => {
    expect(disagreements([{ ...ENDED, troubled: true }], told([]))).toEqual([]);
  });

  it("must count what is on record", () => {
    expect(disagreements([], told([], { Succeeded: 2, Frozen: 1 }))).toEqual([
      "disagrees: c-1 counts 2 PodMigrations in phase Succeeded; the API has 1",
      "disagrees: c-1 counts 1 PodMigrations in phase Frozen; the API has 0",
    ]);
  });

  it.each([
    ["a controller restarts", true, fault(100_000, { controllers: true })],
    ["the API server is away", true, fault(90_000, { silences: ["api"], undoneAtMs: 99_000 })],
    ["a machine is killed", true, fault(90_000, { nodeKilled: "n3", undoneAtMs: 99_000 })],
    [
      "its namespace is being deleted",
      true,
      fault(60_000, { ends: [{ workload: "w", cell: NAMESPACE_DELETED, by: "deletion", of: "all" }] }),
    ],
    ["a controller restarts long before", false, fault(72_000, { controllers: true })],
    ["something else is wrong", false, fault(100_000, { silences: ["target"] })],
  ])("may have been lost when %s: %s", (_what, troubled, struck) => {
    expect(endedMoves({ moves: [SUCCEEDED], faults: [struck] })).toEqual([{ ...ENDED, troubled }]);
  });

  it("are not asked of moves that have not ended, or are gone", () => {
    const open = { ...SUCCEEDED, phases: SUCCEEDED.phases.slice(0, 3), final: undefined };
    expect(
      endedMoves({ moves: [open, { ...SUCCEEDED, final: undefined }, rolledBack(110_000)], faults: [] }),
    ).toMatchObject([{ phase: "RolledBack" }]);
  });

  it("are read from Prometheus's text", () => {
    const text =
      '# TYPE headroom_pod_migrations gauge\nheadroom_pod_migrations{phase="Succeeded"} 3\nheadroom_leading 1\n';
    expect(parseCounts(text)).toEqual({ Succeeded: 3 });
  });
});
