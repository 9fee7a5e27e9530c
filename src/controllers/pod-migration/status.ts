/** The status after an outcome. Pure. */
import type { Condition } from "../../api/v1alpha1/fields.ts";
import {
  FINAL_PHASES,
  type Phase,
  type PodMigration,
  type PodMigrationStatus,
} from "../../api/v1alpha1/pod-migration.ts";
import type { Outcome, StatusChanges } from "./outcome.ts";

const MESSAGE_LIMIT = 2048;
const TRANSITION_LIMIT = 32;

/** Milliseconds since the epoch as Kubernetes writes times, with milliseconds: phases are shorter than a second. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** The status of a move that nothing has been recorded of. */
export function initialStatus(nowMs: number): PodMigrationStatus {
  return {
    phase: "Pending",
    startTime: timeText(nowMs),
    phaseTransitions: [{ phase: "Pending", time: timeText(nowMs) }],
    containers: [],
    timings: {},
    conditions: [],
  };
}

export function statusAfter(
  move: PodMigration,
  before: PodMigrationStatus,
  outcome: Outcome,
  nowMs: number,
): PodMigrationStatus {
  const observed = {
    ...before,
    ...(move.metadata.generation === undefined ? {} : { observedGeneration: move.metadata.generation }),
  };
  switch (outcome.kind) {
    case "reread":
      return before;
    case "wait":
      return { ...observed, message: shortened(outcome.message) };
    case "note":
      return withChanges(observed, outcome.changes);
    case "advance":
      return entered(withChanges(observed, outcome.changes), outcome.phase, outcome.reason, outcome.message, nowMs);
  }
}

function withChanges(before: PodMigrationStatus, changes: StatusChanges): PodMigrationStatus {
  return { ...before, ...changes, timings: { ...before.timings, ...changes.timings } };
}

function entered(before: PodMigrationStatus, phase: Phase, reason: string, message: string, nowMs: number) {
  const time = timeText(nowMs);
  const after: PodMigrationStatus = {
    ...before,
    phase,
    reason,
    message: shortened(message),
    phaseTransitions: [...before.phaseTransitions, { phase, time }].slice(-TRANSITION_LIMIT),
    conditions: conditionsIn(before.conditions, phase, reason, shortened(message), time),
  };
  return FINAL_PHASES.has(phase) ? { ...after, completionTime: time } : after;
}

/** `Committed`: the target is the pod from now on. `Succeeded`: how the move ended. `Complete`: that it ended. */
function conditionsIn(before: Condition[], phase: Phase, reason: string, message: string, time: string): Condition[] {
  const made: Record<string, Condition["status"]> = {};
  if (phase === "Committed") made.Committed = "True";
  if (phase === "RollingBack") made.Committed = "False";
  if (FINAL_PHASES.has(phase)) {
    made.Succeeded = phase === "Succeeded" ? "True" : "False";
    made.Complete = "True";
  }
  const fresh = Object.entries(made).map(([type, status]) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: time,
  }));
  return [...before.filter((condition) => !(condition.type in made)), ...fresh];
}

/** When the move last entered this phase; undefined when it never did. */
export function enteredAtMs(status: PodMigrationStatus, phase: Phase): number | undefined {
  const transition = status.phaseTransitions.findLast((entry) => entry.phase === phase);
  return transition === undefined ? undefined : Date.parse(transition.time);
}

function shortened(message: string): string {
  return message.length <= MESSAGE_LIMIT ? message : `${message.slice(0, MESSAGE_LIMIT - 1)}…`;
}
