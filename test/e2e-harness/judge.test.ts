/** The judge of random faults: each rule accuses, and leaves its neighbour alone. */
import { describe, expect, it } from "vitest";
import { judge } from "../e2e/chaos/judge.ts";
import { by, END, fault, MOVED, move, type Row, recordOf, rolledBack, SUCCEEDED, taking } from "./chaos-records.ts";

const rows: Row[] = [
  ["one process that speaks on", [], {}],
  ["one process that is moved", [], { pieces: MOVED, moves: [SUCCEEDED] }],
  ["a workload that was never heard", ["silent: w was never heard"], { pieces: [] }],

  [
    "a repetition, whatever was struck",
    ["doubled"],
    {
      workload: { ...by("repeated", 9000), kind: "Deployment" },
      faults: [fault(9000, taking("disruption"))],
    },
  ],
  ["damaged pages", ["damaged"], { workload: by("pages", 9000), faults: [fault(9000)] }],
  ["damaged files", ["damaged"], { workload: by("files", 9000), faults: [fault(9000)] }],
  ["a gap", ["lost: w (a), at 00:00:09.000: what happened"], { workload: by("gap", 9000) }],
  ["a gap while something else is wrong", ["lost"], { workload: by("gap", 9000), faults: [fault(9000)] }],
  [
    "two of a Deployment, right after an eviction",
    [],
    { workload: { ...by("two", 9000), kind: "Deployment" }, faults: [fault(5000, taking("disruption"))] },
  ],
  [
    "two of a Job, right after an eviction",
    [],
    { workload: { ...by("two", 9000), kind: "Job" }, faults: [fault(5000, taking("disruption"))] },
  ],
  ["two of a bare pod", ["doubled"], { workload: by("two", 9000), faults: [fault(5000, taking("disruption"))] }],
  [
    "two that are still there after 15 s",
    ["doubled"],
    { workload: { ...by("two", 9000, 20_100), kind: "Deployment" }, faults: [fault(5000, taking("disruption"))] },
  ],
  [
    "two that are still there while the API is away",
    [],
    {
      workload: { ...by("two", 9000, 20_100), kind: "Deployment" },
      faults: [fault(5000, taking("disruption")), fault(10_000, { id: "g", undoneAtMs: 30_000 })],
    },
  ],
  [
    "a move that was rolled back because its pod was evicted, and replaced elsewhere",
    [],
    {
      pieces: [
        ["a", "n1", 0, 99_500],
        ["b", "n3", 99_000, END],
      ],
      workload: { kind: "Deployment" },
      moves: [rolledBack(103_000)],
      faults: [fault(98_500, taking("disruption"))],
    },
  ],
  [
    "two of a Job when the controller ended",
    [],
    { workload: { ...by("two", 9000), kind: "Job" }, faults: [fault(5000, { controllers: true })] },
  ],
  [
    "two of a Deployment when the controller ended",
    ["doubled"],
    { workload: { ...by("two", 9000), kind: "Deployment" }, faults: [fault(5000, { controllers: true })] },
  ],
  [
    "two after a container was killed",
    ["doubled"],
    { workload: { ...by("two", 9000), kind: "Deployment" }, faults: [fault(5000, taking("kill"))] },
  ],
  ["two without a fault", ["doubled"], { workload: { ...by("two", 9000), kind: "Deployment" } }],

  [
    "silence of 15 s",
    [],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 65_000, END],
      ],
    },
  ],
  [
    "longer silence",
    ["silent: w (a) from 00:00:50.000 for 15001 ms"],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 65_001, END],
      ],
    },
  ],
  [
    "silence while something is wrong",
    [],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 99_000, END],
      ],
      faults: [fault(60_000, { undoneAtMs: 62_000 }), fault(61_000, { undoneAtMs: 64_000 })],
    },
  ],
  [
    "more than that",
    ["silent"],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 99_001, END],
      ],
      faults: [fault(60_000, { undoneAtMs: 62_000 }), fault(61_000, { undoneAtMs: 64_000 })],
    },
  ],
  [
    "silence right after something was wrong",
    [],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 95_000, END],
      ],
      faults: [fault(41_000)],
    },
  ],
  [
    "silence long after that",
    ["silent"],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 95_000, END],
      ],
      faults: [fault(39_000)],
    },
  ],
  [
    "silence while a machine comes back",
    [],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 140_000, END],
      ],
      faults: [fault(60_000, { nodeKilled: "n2" })],
    },
  ],
  [
    "more than that, too",
    ["silent"],
    {
      pieces: [
        ["a", "n1", 0, 50_000],
        ["a", "n1", 140_001, END],
      ],
      faults: [fault(60_000, { nodeKilled: "n2" })],
    },
  ],

  [
    "a pod that goes on although it was deleted during its move",
    ["disagrees: w (a) was deleted at 00:01:41.200"],
    { pieces: MOVED, moves: [SUCCEEDED], faults: [fault(101_200, taking("deletion", "source"))] },
  ],
  [
    "the same when it was being preempted by then: its move may save it",
    [],
    {
      pieces: MOVED,
      moves: [SUCCEEDED],
      faults: [fault(100_500, taking("disruption", "source")), fault(101_200, taking("deletion", "source"))],
    },
  ],
  [
    "a move that does not end",
    ["stuck: move t/m of w is still Preparing"],
    { moves: [move("Preparing", undefined, {}, { stillOpen: true })] },
  ],
  ["a move that succeeded without its process", ["disagrees: move t/m of w is Succeeded"], { moves: [SUCCEEDED] }],
  ["a move that was rolled back", [], { moves: [rolledBack(103_000)] }],
  [
    "a process on the target of a move that was rolled back",
    ["doubled", "disagrees: move t/m of w is RolledBack"],
    { pieces: MOVED, moves: [rolledBack(103_000)] },
  ],
  [
    "the same when it had been committed",
    ["doubled", "disagrees"],
    { pieces: MOVED, moves: [rolledBack(103_000, "Committed")] },
  ],
  ["a process that changes its node without a move", ["doubled: w (a) was heard from n2"], { pieces: MOVED }],
  [
    "a process that changes its node long after its move",
    ["doubled", "disagrees"],
    {
      pieces: [
        ["a", "n1", 0, 120_000],
        ["a", "n2", 121_000, END],
      ],
      moves: [SUCCEEDED],
    },
  ],
  [
    "a process that a move brought from elsewhere",
    ["doubled"],
    { pieces: MOVED, moves: [move("Succeeded", undefined, { sourceNode: "n3" })] },
  ],
  [
    "a freeze as it was heard",
    [],
    { pieces: MOVED, moves: [move("Succeeded", undefined, { freezeMilliseconds: 1250 })] },
  ],
  [
    "another freeze",
    ["disagrees: move t/m of w says that it was frozen for 1150 ms"],
    { pieces: MOVED, moves: [move("Succeeded", undefined, { freezeMilliseconds: 1150 })] },
  ],
  [
    "another freeze while something is wrong",
    [],
    { pieces: MOVED, moves: [move("Succeeded", undefined, { freezeMilliseconds: 1150 })], faults: [fault(101_000)] },
  ],
  [
    "two pods at the end",
    ["disagrees: w is heard from n1"],
    { workload: { pods: [1, 2].map((n) => ({ name: `w${n}`, node: "n1", uid: `${n}`, ready: true })) } },
  ],
  ["no pod at the end", ["disagrees"], { workload: { pods: [] } }],
  ["a pod elsewhere", ["disagrees"], { workload: { pods: [{ name: "w", node: "n2", uid: "1", ready: true }] } }],
  [
    "a pod that is not ready",
    ["disagrees"],
    { workload: { pods: [{ name: "w", node: "n1", uid: "1", ready: false }] } },
  ],
];

describe("the judge", () => {
  it.each(rows)("of %s says %j", (_what, expected, given) => {
    const { faults } = judge(recordOf(given));
    expect(faults.map((sentence, index) => sentence.slice(0, expected[index]?.length))).toEqual(expected);
  });

  it("counts the moves by their ends, and finds the longest silence", () => {
    const refused = move("Preparing", { phase: "Failed", atMs: 99_000 }, { reason: "NodesFull" });
    const torn = move("Committed", { phase: "Failed", atMs: 110_000 }, { reason: "MemoryLost" });
    const moves = [SUCCEEDED, rolledBack(110_000), rolledBack(110_000, "Committed"), refused, refused, torn];
    expect(judge(recordOf({ pieces: MOVED, moves }))).toMatchObject({
      committed: 1,
      rolledBack: 2,
      otherEnds: { "Failed: NodesFull": 2, "Failed: MemoryLost": 1 },
      worstSilenceMs: 2000,
    });
  });
});
