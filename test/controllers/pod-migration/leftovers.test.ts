import { describe, expect, it } from "vitest";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import type { Phase, PodMigration } from "../../../src/api/v1alpha1/pod-migration.ts";
import { type FoundRecord, stepsFor, verdictOn } from "../../../src/controllers/pod-migration/leftover-verdict.ts";

function move(phase: Phase, committed?: "True" | "False"): PodMigration {
  const condition = { type: "Committed", reason: "R", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
  const conditions = committed ? [{ ...condition, status: committed }] : [];
  return {
    apiVersion: API_VERSION,
    kind: "PodMigration",
    metadata: { name: "move" },
    spec: { podName: "p", timeout: "1m", tcp: "Refuse", cancel: false },
    status: { phase, conditions, containers: [], timings: {}, phaseTransitions: [] },
  };
}

function record(role: "source" | "target", state: FoundRecord["state"]): FoundRecord {
  return { moveUID: "1", role, state, epoch: 1, podUID: "p", node: role === "source" ? "z1" : "z2" };
}

function dumpedTo(peerNode: string): FoundRecord {
  return { ...record("source", "dumped"), peerNode };
}

describe("records whose move", () => {
  it.each<[string, string, PodMigration | undefined, FoundRecord[], silent: string[]]>([
    ["goes on are left alone", "busy", move("Frozen"), [record("source", "dumped")], []],
    ["waits to begin are left alone", "busy", move("Pending"), [record("source", "dumped")], []],
    ["succeeded are those of a commit", "committed", move("Succeeded", "True"), [record("source", "dumped")], []],
    ["failed after the commit are those of a commit", "committed", move("Failed", "True"), [], []],
    ["was rolled back are undone", "undone", move("RolledBack", "False"), [record("target", "held")], []],
    ["was refused are undone", "undone", move("Failed"), [record("target", "registered")], []],
    ["is gone, its target released, are those of a commit", "committed", undefined, [record("target", "released")], []],
    ["is gone, its target held, are undone", "undone", undefined, [record("target", "held")], ["z3"]],
    ["is gone, with no target anywhere, are undone", "undone", undefined, [record("source", "dumped")], []],
    ["is gone wait while an agent doesn't answer", "unknown", undefined, [record("source", "dumped")], ["z3"]],
    ["is gone wait for the node that the dump went to", "unknown", undefined, [dumpedTo("z2")], ["z2"]],
    ["is gone wait for no other node", "undone", undefined, [dumpedTo("z2")], ["z3"]],
  ])("%s: %s", (_, verdict, found, records, silent) => {
    expect(verdictOn(found, records, new Set(silent))).toBe(verdict);
  });
});

describe("what is done about them", () => {
  const both = [record("source", "dumped"), record("target", "held")];
  const steps = (...args: Parameters<typeof stepsFor>) => stepsFor(...args).map((step) => step.do);

  it("is nothing while the outcome is open", () => {
    expect(steps("busy", both, true)).toEqual([]);
    expect(steps("unknown", both, false)).toEqual([]);
  });

  it("ends the target before the source is resumed when no move says that it never was released", () => {
    expect(steps("undone", both, false)).toEqual(["abort", "resume", "cleanup-source", "remove-target"]);
  });

  it("does not let a target that is cut off keep the source of a rolled-back move frozen", () => {
    expect(steps("undone", both, true)).toEqual(["resume", "cleanup-source", "abort", "remove-target"]);
  });

  it("ends the source of a commit", () => {
    const committed = [record("source", "dumped"), record("target", "released")];
    expect(steps("committed", committed, true)).toEqual(["end-source", "cleanup-source", "cleanup-target"]);
  });

  it("ends a copy that was held on a node that was cut off when the move gave it up", () => {
    const found = [record("source", "killed"), record("target", "held")];
    expect(steps("committed", found, true)).toEqual(["end-source", "cleanup-source", "abort", "cleanup-target"]);
  });

  it("resumes nothing that has been killed", () => {
    expect(steps("undone", [record("source", "killed")], true)).toEqual(["cleanup-source"]);
  });
});
