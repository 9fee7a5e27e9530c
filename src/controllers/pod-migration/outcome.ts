/** What a phase's step came to. The reconciler records it in the status; phases never write the status themselves. */
import type { Phase, PodMigrationStatus } from "../../api/v1alpha1/pod-migration.ts";

/** Members that replace the recorded ones; `timings` are added to them. Entering a phase has a reason and a message of its own. */
export type StatusChanges = Partial<Omit<PodMigrationStatus, "phase" | "phaseTransitions">>;

export type Outcome =
  /** Go to another phase, and on from there in the same run. */
  | { kind: "advance"; phase: Phase; reason: string; message: string; changes: StatusChanges }
  /** Record something learnt, then take the same phase's step again at once. */
  | { kind: "note"; changes: StatusChanges }
  /** The step has changed the object itself: read it anew, then go on. */
  | { kind: "reread" }
  /** Nothing to do until this time has passed or something changes. */
  | { kind: "wait"; afterMs: number; message: string };

export function advance(phase: Phase, reason: string, message: string, changes: StatusChanges = {}): Outcome {
  return { kind: "advance", phase, reason, message, changes };
}

export function note(changes: StatusChanges): Outcome {
  return { kind: "note", changes };
}

export function wait(afterMs: number, message: string): Outcome {
  return { kind: "wait", afterMs, message };
}

/** Before the commit: undo what was done. */
export function rollBack(reason: string, message: string): Outcome {
  return advance("RollingBack", reason, message);
}
