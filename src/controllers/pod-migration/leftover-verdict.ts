/** What is to be done about records that no running move looks after. Pure. */
import type { MoveRecord } from "../../agent/protocol.ts";
import { FINAL_PHASES, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";

export interface FoundRecord extends MoveRecord {
  node: string;
}

/**
 * `busy`: its reconciler looks after it. `committed`: the target is the pod. `undone`: the source is. `unknown`: an agent
 * that doesn't answer may know.
 */
export type Verdict = "busy" | "committed" | "undone" | "unknown";

/**
 * With its PodMigration gone (its finalizer was torn off), nobody will ever release a target that has not been: so it was
 * undone, unless the target's agent says that it was released. A node without an agent at the moment is as silent as one that
 * is cut off: the copy may run there. What is gone from the cluster is not silent.
 */
export function verdictOn(
  move: PodMigration | undefined,
  records: FoundRecord[],
  silentNodes: ReadonlySet<string>,
): Verdict {
  if (move) {
    if (!FINAL_PHASES.has(move.status?.phase ?? "Pending")) return "busy";
    // Only an API that has lost its latest writes can contradict an agent here.
    if (records.some(({ role, state }) => role === "target" && state === "released")) return "committed";
    const committed = move.status?.conditions.some(({ type, status }) => type === "Committed" && status === "True");
    return committed ? "committed" : "undone";
  }
  const target = records.find((record) => record.role === "target");
  if (target) return target.state === "released" ? "committed" : "undone";
  const peer = records.find((record) => record.role === "source")?.peerNode;
  const asked = peer === undefined ? silentNodes.size === 0 : !silentNodes.has(peer);
  return asked ? "undone" : "unknown";
}

export type LeftoverStep =
  | { do: "abort" | "cleanup-target" | "cleanup-source"; record: FoundRecord }
  /** Its pod is deleted; once that is gone, the node is cleaned. */
  | { do: "remove-target"; record: FoundRecord }
  /** The source goes on. */
  | { do: "resume"; record: FoundRecord }
  /** Its pod is deleted if it isn't, and its frozen tasks are ended. */
  | { do: "end-source"; record: FoundRecord };

/**
 * In this order; a step that fails keeps the later ones for the next time. A target is known to be gone before a source is
 * resumed, unless the move itself is on record as rolled back: then it never was released.
 */
export function stepsFor(verdict: Verdict, records: FoundRecord[], moveOnRecord: boolean): LeftoverStep[] {
  if (verdict === "busy" || verdict === "unknown") return [];
  const sources = records.filter((record) => record.role === "source");
  const targets = records.filter((record) => record.role === "target");
  if (verdict === "committed") {
    return [...sources.flatMap(ending), ...targets.flatMap(targetEnding)];
  }
  const aborting = targets.map((record): LeftoverStep => ({ do: "abort", record }));
  const removing = targets.map((record): LeftoverStep => ({ do: "remove-target", record }));
  const resuming = sources.flatMap(resumption);
  return moveOnRecord ? [...resuming, ...aborting, ...removing] : [...aborting, ...resuming, ...removing];
}

/** The move has ended: a copy that it did not release was given up for dead, and nobody will release it any more. */
function targetEnding(record: FoundRecord): LeftoverStep[] {
  const cleanup: LeftoverStep = { do: "cleanup-target", record };
  return record.state === "released" ? [cleanup] : [{ do: "abort", record }, cleanup];
}

function ending(record: FoundRecord): LeftoverStep[] {
  const cleanup: LeftoverStep = { do: "cleanup-source", record };
  return [{ do: "end-source", record }, cleanup];
}

function resumption(record: FoundRecord): LeftoverStep[] {
  const cleanup: LeftoverStep = { do: "cleanup-source", record };
  return record.state === "killed" ? [cleanup] : [{ do: "resume", record }, cleanup];
}
