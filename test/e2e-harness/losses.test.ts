/** Which losses the judge of random faults excuses: for each rule a case, and a neighbour that it leaves alone. */
import { describe, expect, it } from "vitest";
import { judge } from "../e2e/chaos/judge.ts";
import {
  aimed,
  apiAndTarget,
  type Case,
  END,
  fault,
  lostOn,
  MOVED,
  move,
  PROBED,
  type Row,
  recordOf,
  rolledBack,
  SUCCEEDED,
  taking,
} from "./chaos-records.ts";

/** From n2 to n1. */
const OTHER = move("Succeeded", undefined, { sourceNode: "n2", targetNode: "n1" }, { name: "o", workload: "v" });

const rows: Row[] = [
  [
    "one that ended with its pod",
    [],
    { pieces: [["a", "n1", 0, 100_000]], workload: { pods: [] }, faults: [fault(100_000, taking("kill"))] },
  ],
  [
    "a fault that had ended the one before",
    ["lost: w (b)"],
    {
      pieces: [
        ["a", "n1", 0, 98_000],
        ["b", "n1", 101_000, 130_000],
        ["c", "n1", 140_000, END],
      ],
      faults: [fault(99_000, taking("kill"))],
    },
  ],
  [
    "one that its owner had just made when its node was drained",
    [],
    {
      pieces: [
        ["a", "n1", 0, 98_000],
        ["b", "n1", 102_000, 103_500],
        ["c", "n2", 105_000, END],
      ],
      workload: { kind: "Deployment" },
      faults: [fault(97_000, taking("disruption")), fault(99_500, taking("disruption"))],
    },
  ],
  [
    "one that ended long after such a drain",
    ["lost: w (b)"],
    {
      pieces: [
        ["a", "n1", 0, 98_000],
        ["b", "n1", 102_000, 120_000],
        ["c", "n2", 125_000, END],
      ],
      workload: { kind: "Deployment" },
      faults: [fault(97_000, taking("disruption")), fault(99_500, taking("disruption"))],
    },
  ],
  [
    "one that outlived a replacement, and then ended with its pod",
    [],
    {
      pieces: [
        ["a", "n1", 0, 100_000],
        ["b", "n2", 30_000, 31_000],
      ],
      workload: { kind: "Deployment", pods: [], wanted: false },
      faults: [fault(29_500, taking("disruption")), fault(99_000, taking("deletion"))],
    },
  ],
  [
    "a source and its copy, both killed",
    [],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(101_300, { id: "g", ...aimed("Restoring"), ...taking("kill", "copy") }),
      ],
    },
  ],
  [
    "a source that is killed, and the target's node after the move",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(115_000, { id: "g", nodeKilled: "n2" }),
      ],
    },
  ],
  ["a process that another follows", ["lost: w (a)"], { pieces: lostOn("n1") }],
  ["a process that ends", ["lost: w (a)"], { pieces: [["a", "n1", 0, 100_000]] }],
  ["a process that ends just before listening does", [], { pieces: [["a", "n1", 0, END - 4500]] }],
  [
    "one that was deleted for good",
    [],
    { pieces: [["a", "n1", 0, 100_000]], workload: { wanted: false }, faults: [fault(99_000, taking("deletion"))] },
  ],
  [
    "one that had ended long before it was deleted",
    ["lost"],
    { pieces: [["a", "n1", 0, 30_000]], workload: { wanted: false }, faults: [fault(155_000, taking("deletion"))] },
  ],
  [
    "one that goes on though it was deleted",
    ["disagrees: w (a) was deleted"],
    { faults: [fault(174_000, taking("deletion"))] },
  ],
  ["one that was deleted 24 s ago", [], { faults: [fault(176_000, taking("deletion"))] }],
  [
    "one that was deleted while another fault kept its node from hearing of it",
    [],
    { faults: [fault(120_000, taking("deletion")), fault(125_000, { id: "g", undoneAtMs: 185_000 })] },
  ],
  [
    "one whose source was deleted when it had been committed",
    [],
    {
      pieces: MOVED,
      moves: [move("Succeeded")],
      faults: [fault(101_600, { ...aimed("Committed"), ...taking("deletion", "source") })],
    },
  ],
  [
    "a Job's that ended when its source was deleted after the commit",
    [],
    {
      pieces: [["a", "n1", 0, 100_000]],
      workload: { kind: "Job", pods: [] },
      moves: [move("Succeeded")],
      faults: [fault(101_600, { ...aimed("Committed"), ...taking("deletion", "source") })],
    },
  ],
  [
    "a Job's that ended when its source was evicted",
    [],
    {
      pieces: [["a", "n1", 0, 100_000]],
      workload: { kind: "Job", pods: [] },
      moves: [move("Succeeded")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("disruption", "source") })],
    },
  ],
  [
    "one whose source was deleted before it was committed",
    ["disagrees: w (a) was deleted"],
    {
      pieces: MOVED,
      moves: [move("Succeeded")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("deletion", "source") })],
    },
  ],
  ["a fault that ended it before it was silent", [], { pieces: lostOn("n1"), faults: [fault(41_000, taking("kill"))] }],
  ["a fault that struck too early", ["lost"], { pieces: lostOn("n1"), faults: [fault(39_000, taking("kill"))] }],
  [
    "a fault that struck the one that followed",
    ["lost"],
    { pieces: lostOn("n1"), faults: [fault(133_000, taking("kill"))] },
  ],
  [
    "a fault that ended another workload",
    ["lost"],
    { pieces: lostOn("n1"), faults: [fault(100_000, { ends: [{ workload: "x", cell: "", by: "kill", of: "all" }] })] },
  ],
  [
    "a replacement that the move removed",
    [],
    {
      pieces: [
        ["a", "n1", 0, 100_000],
        ["b", "n1", 101_000, 101_000],
        ["a", "n2", 102_000, END],
      ],
      workload: { kind: "Deployment", pods: [{ name: "w", node: "n2", uid: "1", ready: true }] },
      moves: [SUCCEEDED],
      faults: [fault(100_500, { ...aimed("Restoring"), ...taking("disruption", "source") })],
    },
  ],
  [
    "a Deployment that nothing follows",
    ["silent: nothing of Deployment w"],
    { pieces: [["a", "n1", 0, 70_000]], workload: { kind: "Deployment" }, faults: [fault(70_000, taking("deletion"))] },
  ],
  [
    "a Deployment that something may yet follow",
    [],
    { pieces: [["a", "n1", 0, 90_000]], workload: { kind: "Deployment" }, faults: [fault(90_000, taking("deletion"))] },
  ],

  [
    "a frozen source that is killed",
    [],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000)],
      faults: [fault(100_500, { ...aimed("Frozen"), ...taking("kill", "source") })],
    },
  ],
  [
    "one that is killed when its checkpoint is whole",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") })],
    },
  ],
  [
    "one that is evicted then",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("disruption", "source") })],
    },
  ],
  [
    "one that a person deletes then",
    [],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("deletion", "source") })],
    },
  ],
  [
    "one that a person deletes after the commit",
    ["lost"],
    {
      pieces: lostOn("n2"),
      moves: [SUCCEEDED],
      faults: [fault(101_600, { ...aimed("Committed"), ...taking("deletion", "source") })],
    },
  ],
  [
    "a copy that is killed before the commit",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [fault(101_200, { ...aimed("Restoring"), ...taking("kill", "copy") })],
    },
  ],
  [
    "a copy that is killed after the commit, before its release",
    ["lost"],
    {
      pieces: lostOn("n2"),
      moves: [move("Committed", { phase: "Failed", atMs: 120_000 })],
      faults: [fault(101_600, { ...aimed("Committed"), ...taking("kill", "copy") })],
    },
  ],
  [
    "a copy that is killed after its release",
    [],
    {
      pieces: lostOn("n2"),
      moves: [SUCCEEDED],
      faults: [fault(101_600, { ...aimed("Committed"), ...taking("kill", "copy") })],
    },
  ],
  [
    "a source that is killed, and the target's node, too",
    [],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(101_300, { id: "g", nodeKilled: "n2" }),
      ],
    },
  ],
  [
    "a source that is killed, and the node of neither",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(110_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(101_300, { id: "g", nodeKilled: "n3" }),
      ],
    },
  ],
  [
    "a source that is killed while the target is away for long",
    [],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(125_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(101_300, { id: "g", ...aimed("Restoring"), silences: ["target"], undoneAtMs: 117_000 }),
      ],
    },
  ],
  [
    "a source that is killed while the target is away for a moment",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(125_000, "Restoring")],
      faults: [
        fault(101_200, { ...aimed("Restoring"), ...taking("kill", "source") }),
        fault(101_300, { id: "g", ...aimed("Restoring"), silences: ["target"], undoneAtMs: 115_000 }),
      ],
    },
  ],

  ["its node killed", [], { pieces: lostOn("n1"), faults: [fault(98_500, { nodeKilled: "n1" })] }],
  ["its node killed long before", ["lost"], { pieces: lostOn("n1"), faults: [fault(97_500, { nodeKilled: "n1" })] }],
  ["another node killed", ["lost"], { pieces: lostOn("n1"), faults: [fault(100_000, { nodeKilled: "n2" })] }],
  [
    "its node killed while it was frozen",
    [],
    { pieces: lostOn("n1"), moves: [rolledBack(110_000)], faults: [fault(100_500, { nodeKilled: "n1" })] },
  ],
  [
    "its node killed when the target has all",
    ["lost"],
    { pieces: lostOn("n1"), moves: [rolledBack(110_000, "Restoring")], faults: [fault(101_200, { nodeKilled: "n1" })] },
  ],
  [
    "its target killed after the commit",
    ["lost"],
    {
      pieces: lostOn("n2"),
      moves: [move("Committed", { phase: "Failed", atMs: 120_000 })],
      faults: [fault(101_600, { nodeKilled: "n2" })],
    },
  ],
  [
    "its target killed after its release",
    [],
    { pieces: lostOn("n2"), moves: [SUCCEEDED], faults: [fault(101_600, { nodeKilled: "n2" })] },
  ],

  [
    "frozen and probed, the API and the target away",
    [],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(100_500, { ...apiAndTarget, undoneAtMs: 116_000 })],
    },
  ],
  [
    "the same for less than 15 s",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(100_500, { ...apiAndTarget, undoneAtMs: 115_000 })],
    },
  ],
  [
    "the same without a probe",
    ["lost"],
    {
      pieces: lostOn("n1"),
      moves: [rolledBack(129_000)],
      faults: [fault(100_500, { ...apiAndTarget, undoneAtMs: 116_000 })],
    },
  ],
  [
    "the same with the API away alone",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(100_500, { ...apiAndTarget, silences: ["api"], undoneAtMs: 116_000 })],
    },
  ],
  [
    "the same long before the freeze",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(60_000, { ...apiAndTarget, undoneAtMs: 80_000 })],
    },
  ],
  [
    "probed, not frozen, both away",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [move("Preparing", { phase: "RolledBack", atMs: 129_000 })],
      faults: [fault(98_500, { ...apiAndTarget, undoneAtMs: 125_000 })],
    },
  ],
  [
    "committed and probed, the target away",
    [],
    {
      pieces: lostOn("n2"),
      workload: PROBED,
      moves: [move("Committed", { phase: "Failed", atMs: 129_000 })],
      faults: [fault(101_600, { ...aimed("Committed"), silences: ["target"], undoneAtMs: 117_000 })],
    },
  ],
  [
    "probed, the target away before the commit",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(101_600, { ...aimed("Frozen"), silences: ["target"], undoneAtMs: 118_000 })],
    },
  ],
  [
    "frozen and probed, its own node away",
    [],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000)],
      faults: [fault(100_500, { ...aimed("Frozen"), silences: ["source"], undoneAtMs: 116_000 })],
    },
  ],
  [
    "the same when the target has all",
    ["lost"],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000, "Restoring")],
      faults: [fault(101_100, { ...aimed("Restoring"), silences: ["source"], undoneAtMs: 117_000 })],
    },
  ],
  [
    "the same when the target has all, but loses its power",
    [],
    {
      pieces: lostOn("n1"),
      workload: PROBED,
      moves: [rolledBack(129_000, "Restoring")],
      faults: [
        fault(101_100, { ...aimed("Restoring"), silences: ["source"], undoneAtMs: 117_000 }),
        fault(101_200, { id: "g", ...aimed("Restoring"), nodeKilled: "n2", undoneAtMs: 111_000 }),
      ],
    },
  ],
  [
    "a released copy whose node was drained, where another move has its source",
    [],
    {
      pieces: [
        ["a", "n1", 0, 100_000],
        ["a", "n2", 102_000, 103_000],
      ],
      workload: { pods: [] },
      moves: [SUCCEEDED, OTHER],
      faults: [fault(102_500, { move: "o", phase: "Preflight", ...taking("disruption", "source") })],
    },
  ],
  [
    "a source whose node was drained after the commit, where another move has its target",
    ["lost"],
    {
      pieces: [
        ["a", "n1", 0, 100_000],
        ["a", "n2", 102_000, 103_000],
      ],
      workload: { pods: [] },
      moves: [SUCCEEDED, OTHER],
      faults: [fault(102_500, { move: "o", phase: "Preflight", ...taking("disruption", "copy") })],
    },
  ],
];

describe("the judge of losses", () => {
  it.each(rows)("of %s says %j", (_what, expected, given) => {
    const { faults } = judge(recordOf(given));
    expect(faults.map((sentence, index) => sentence.slice(0, expected[index]?.length))).toEqual(expected);
  });

  it("counts what could not be saved under the fault's own cell", () => {
    const cell = (given: Case) => judge(recordOf({ pieces: lostOn("n1"), ...given })).unavoidable;
    expect(cell({ faults: [fault(100_000, taking("disruption", "all", "drained"))] })).toEqual([
      { workload: "w", cell: "drained" },
    ]);
    expect(cell({ faults: [fault(100_000, { nodeKilled: "n1" })] })).toEqual([
      { workload: "w", cell: "its node died" },
    ]);
    expect(cell({})).toEqual([]);
  });
});
