/**
 * The release of a committed copy, and what is known of it when it can't be had. It is repeated until the copy is known to run or to be
 * dead: ending the move on less would lose the only copy, or make a second one.
 */
import type { Condition } from "../../api/v1alpha1/fields.ts";
import { decide, RESTORED } from "./decision/decide.ts";
import { observe } from "./decision/observe.ts";
import { SOURCE_RESTARTED } from "./decision/settle.ts";
import type { ImagesState } from "./decision/situation.ts";
import { attempt, type DriverFailure, inWords } from "./driver-failure.ts";
import { freezeMs } from "./freeze.ts";
import { replaceSource } from "./hand-over/hand-over.ts";
import { removeSource } from "./hand-over/source-removal.ts";
import { note, type Outcome, rollBack, wait } from "./outcome.ts";
import { readSource, readTarget } from "./pods.ts";
import { isEnded } from "./preflight/pod-facts.ts";
import { restoreTarget } from "./restore-target.ts";
import { type Move, type MoveRun, moveId, targetOf } from "./run.ts";
import { enteredAtMs, timeText } from "./status.ts";

/** What was seen for the commit still holds. */
const FRESH_MS = 2_000;
/** An agent that is only slow is no reason to delete what it keeps frozen. */
const PATIENCE_MS = 3_000;
const RETRY_MS = 500;
/** Once it is said that the target is silent. */
const SLOW_RETRY_MS = 5_000;
/** An agent that refuses for so long, and says that asking again won't help, will not release this copy. */
const REFUSED_MS = 60_000;
/** After this time the status says that it is unknown whether the copy runs. */
const SILENT_MS = 300_000;

/** Condition: the copy was let go. False when it died before; Unknown while its node is silent. */
const RELEASED = "Released";

/** The release's outcome, once there is one. */
export function releaseOf(move: Move): Condition | undefined {
  return move.status.conditions.find(({ type, status }) => type === RELEASED && status !== "Unknown");
}

/** Milliseconds since the release's outcome was known. */
export function releasedForMs(run: MoveRun): number {
  const outcome = releaseOf(run.move);
  return outcome === undefined ? 0 : run.deps.clock.now() - Date.parse(outcome.lastTransitionTime);
}

export async function release(run: MoveRun): Promise<Outcome> {
  const running = await runningSource(run);
  if (running) return running;
  const { node, podUID } = targetOf(run.move);
  const result = await attempt(run.deps.driver.release(node, moveId(run), { podUID }));
  const nowMs = run.deps.clock.now();
  if (result.ok) {
    const { releasedAtMs } = result.value;
    const freezeMilliseconds = freezeMs(run.move, releasedAtMs, nowMs);
    const released = known(run, "True", "Released", "the copy runs");
    return note({ ...released, freezeMilliseconds, releasedAt: timeText(releasedAtMs) });
  }
  return unreleased(run, result.failure, nowMs - (enteredAtMs(run.move.status, "Committed") ?? nowMs));
}

/** A source that was started cold has ended, and one whose node may start it is deleted, before the copy runs. */
async function runningSource(run: MoveRun): Promise<Outcome | undefined> {
  const { reason } = run.move.status;
  if (reason === SOURCE_RESTARTED) return endSource(run);
  const committedForMs = run.deps.clock.now() - (enteredAtMs(run.move.status, "Committed") ?? 0);
  if (reason === RESTORED && committedForMs <= FRESH_MS) return undefined;
  const { source, sourceHeard } = await observe(run, undefined, PATIENCE_MS);
  if (source === "restarted") return endSource(run);
  if (!sourceHeard && (source === "frozen" || source === "silent")) await replaceSource(run);
  return undefined;
}

/** It was started cold: it must have ended before the copy runs. */
async function endSource(run: MoveRun): Promise<Outcome | undefined> {
  await replaceSource(run);
  const removed = await removeSource(run);
  if (removed) return wait(removed.afterMs, removed.message);
  const source = await readSource(run);
  if (source === undefined || isEnded(source)) return undefined;
  return wait(RETRY_MS, "the restarted source is to end before the copy is released");
}

async function unreleased(run: MoveRun, failure: DriverFailure, sinceMs: number): Promise<Outcome> {
  const words = inWords(failure);
  // The agent's word that the copy may have run, and is dead.
  if (failure.reason === "ReleaseFailed") return note(known(run, "False", "ReleaseFailed", words));
  if (failure.reason === "CopyDead") return withoutCopy(run, "whole", words);
  const podGone = (await readTarget(run)) === undefined;
  const silent = failure.reason === "Unreachable" || failure.reason === "NoAgent";
  // Only a pod object that is gone says that nothing is left to release: a node that is cut off comes back.
  if (podGone && silent)
    return withoutCopy(run, "gone", `the target pod is gone, and its node does not answer (${words})`);
  const refused = failure.reason === "WrongState" && !failure.retryable;
  if (refused && (podGone || sinceMs > REFUSED_MS || (await wasAborted(run)))) return withoutCopy(run, "gone", words);
  const message = `the copy is to be released: ${words}`;
  if (sinceMs <= SILENT_MS) return wait(RETRY_MS, message);
  return isSaid(run.move) ? wait(SLOW_RETRY_MS, message) : note(sayUnknown(run, failure));
}

/** By a controller that stood down while the API was away. */
async function wasAborted(run: MoveRun): Promise<boolean> {
  const { moveUID } = moveId(run);
  const records = await attempt(run.deps.driver.moves(targetOf(run.move).node));
  return records.ok && records.value.some((one) => one.moveUID === moveUID && one.state === "aborted");
}

/**
 * The copy will not be released as it is. The table says what can still be saved.
 * @param images at best; the target's agent may say otherwise.
 */
async function withoutCopy(run: MoveRun, images: ImagesState, words: string): Promise<Outcome> {
  const seen = await observe(run, "dead");
  const there = images === "whole" && seen.images === "whole" ? "whole" : "gone";
  const { source } = seen;
  const { action, why, lost } = decide({
    api: "there",
    committed: true,
    ending: "no",
    source,
    copy: "dead",
    images: there,
  });
  switch (action) {
    case "restore again":
      return restoreAgain(run, why);
    case "revert":
      return revert(run, `${why} (${words})`);
    case "wait":
      return wait(RETRY_MS, `${why} (${words})`);
    default:
      return giveUp(run, lost === undefined ? words : `${words}. Lost: ${lost}`);
  }
}

async function restoreAgain(run: MoveRun, why: string): Promise<Outcome> {
  const again = await attempt(restoreTarget(run, run.term.signal, true));
  if (again.ok || again.failure.retryable) return wait(RETRY_MS, again.ok ? why : `${why}: ${inWords(again.failure)}`);
  return giveUp(run, `the copy could not be restored again: ${inWords(again.failure)}`);
}

/** The one way back from a commit: only when the copy is ruled out for good, by its agent or because its node was given up. */
async function revert(run: MoveRun, message: string): Promise<Outcome> {
  const failure = await ruleOut(run);
  return failure === undefined ? rollBack("CopyDead", message) : failure;
}

async function giveUp(run: MoveRun, message: string): Promise<Outcome> {
  return (await ruleOut(run)) ?? note(known(run, "False", "ReleaseFailed", message));
}

/** Undefined when the agent has confirmed for good that the copy never ran and never will. */
async function ruleOut(run: MoveRun): Promise<Outcome | undefined> {
  const aborted = await attempt(run.deps.driver.abort(targetOf(run.move).node, moveId(run)));
  if (aborted.ok) return undefined;
  const { failure } = aborted;
  if (failure.reason === "AlreadyReleased") return note(known(run, "False", "ReleaseFailed", inWords(failure)));
  const silent = failure.reason === "Unreachable" || failure.reason === "NoAgent";
  if (silent && (await readTarget(run)) === undefined) return undefined;
  return wait(RETRY_MS, `the copy is to be ruled out: ${inWords(failure)}`);
}

const isSaid = (move: Move): boolean => move.status.conditions.some(({ type }) => type === RELEASED);

function sayUnknown(run: MoveRun, failure: DriverFailure) {
  const { podName, node } = targetOf(run.move);
  const words =
    `it is unknown whether the copy on node ${node} runs: ${inWords(failure)}. The source stays frozen, and the release is repeated. ` +
    `If the node will not come back, delete pod ${podName} by force: then the source goes on from where it was frozen`;
  run.deps.events.record(run.move, "Warning", "TargetSilent", words);
  return known(run, "Unknown", "TargetSilent", words);
}

function known(run: MoveRun, status: Condition["status"], reason: string, message: string) {
  const lastTransitionTime = timeText(run.deps.clock.now());
  const others = run.move.status.conditions.filter(({ type }) => type !== RELEASED);
  return { conditions: [...others, { type: RELEASED, status, reason, message, lastTransitionTime }] };
}
