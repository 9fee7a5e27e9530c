/** Has the table decide on a frozen move that is not committed, and turns its answer into what the phase does. */

import type { Refusal } from "../dependencies.ts";
import { handOverOf } from "../hand-over/belongings.ts";
import { interruption, WITHDRAWN } from "../interruption.ts";
import { advance, note, type Outcome, rollBack, type StatusChanges } from "../outcome.ts";
import { type MoveRun, required } from "../run.ts";
import { timeText } from "../status.ts";
import { labelTarget } from "../target-labels.ts";
import { canGoOn, type Decision, decide, RESTORED } from "./decide.ts";
import { disruption, observe, type Seen, STOOD_DOWN } from "./observe.ts";
import type { Ending, Situation } from "./situation.ts";

export interface Known {
  /** What the target's agent has just said of the copy. */
  copy?: "held" | "dead";
  /** A step has failed for good. */
  failed?: Refusal;
  /** Speaks against the move as long as no copy is held. */
  unlessHeld?: Refusal;
  /** What the commit records besides. */
  changes?: StatusChanges;
}

/** The outcome when the move is decided; else what the phase is to do about it. */
export type Settled = Outcome | { kind: "undecided"; decision: Decision };

/** What is lost is not given up for an agent that is slow to answer. */
const PATIENCE_MS = 5_000;

export async function settle(run: MoveRun, known: Known): Promise<Settled> {
  const seen = await observe(run, known.copy);
  const settled = await settleOn(run, known, seen);
  if (seen.copy !== "silent" || canGoOn(seen) || settled.kind !== "advance") return settled;
  return settleOn(run, known, await observe(run, known.copy, PATIENCE_MS));
}

async function settleOn(run: MoveRun, known: Known, seen: Seen): Promise<Settled> {
  const intact = canGoOn(seen);
  const interrupted = interruption(run.move, run.deps.clock.now(), intact);
  const pressing = seen.copy === "held" ? undefined : known.unlessHeld;
  const gone = intact ? seen.targetGone : undefined;
  // That the copy was ruled out explains why a step failed.
  const explained = gone?.reason === STOOD_DOWN ? gone : known.failed;
  const failed = explained ?? pressing ?? (await unlabelled(run, seen)) ?? gone;
  const against = endingOf(interrupted) === "asked" ? interrupted : (failed ?? interrupted);
  const { source, copy, images } = seen;
  const situation: Situation = { api: "there", committed: false, ending: endingOf(against), source, copy, images };
  const decision = decide(situation);
  switch (decision.action) {
    case "commit":
      return commit(run, seen, decision, known.changes ?? {});
    case "roll back":
      return ended(decision, against);
    default:
      return noted(run, seen) ?? { kind: "undecided", decision };
  }
}

/** That the source's pod is being evicted is recorded while it can be seen. */
function noted(run: MoveRun, { source }: Seen): Outcome | undefined {
  const condition = disruption(run.move, source, timeText(run.deps.clock.now()));
  return condition && note({ conditions: [...run.move.status.conditions, condition] });
}

/** Makes no call unless the target's gate was removed so late that it was bound after the last look: no copy runs without its labels. */
async function unlabelled(run: MoveRun, { copy, targetPod }: Seen): Promise<Refusal | undefined> {
  return copy === "held" && targetPod !== undefined ? labelTarget(run, targetPod) : undefined;
}

/** Undefined: what is under way goes on. */
export function decided(settled: Settled): Outcome | undefined {
  return settled.kind === "undecided" ? undefined : settled;
}

function endingOf(against: Refusal | undefined): Ending {
  if (against === undefined) return "no";
  return WITHDRAWN.has(against.reason) ? "asked" : "failed";
}

/** A source that may run again must end before the copy is released: the reason is how that is known afterwards. */
function commit(run: MoveRun, seen: Seen, decision: Decision, changes: StatusChanges): Outcome {
  const node = required(run.move, "targetNode", run.move.status.targetNode);
  const carried = seen.sourcePod ? { handOver: handOverOf(seen.sourcePod) } : {};
  const restored = decision.reason === RESTORED;
  const silently = restored && !seen.sourceHeard ? SOURCE_SILENT : decision.reason;
  const reason = seen.source === "restarted" ? SOURCE_RESTARTED : silently;
  const words = restored ? "" : `: ${decision.why}`;
  return advance("Committed", reason, `the copy on node ${node} goes on from here${words}`, { ...carried, ...changes });
}

/** Reason of a commit after which the source's pod must have ended before the copy is released. */
export const SOURCE_RESTARTED = "SourceRestarted";
/** Reason of a commit while the source's agent did not answer: its node may have lost its power, and start the pod cold when it is back. */
const SOURCE_SILENT = "SourceSilent";

/** What spoke against the move says more than that the source goes on; but what is lost comes first. */
function ended({ reason, why, lost }: Decision, against: Refusal | undefined): Outcome {
  if (lost === undefined) return rollBack(against?.reason ?? reason, against?.message ?? why);
  const besides = against === undefined ? "" : ` (${against.message})`;
  return rollBack(reason, `${why}${besides}. Lost: ${lost}`);
}
