/**
 * The release of a committed copy, and what is known of it when it can't be had. It is repeated until the copy is known to run or to be
 * dead: ending the move on less would lose the only copy, or make a second one.
 */
import type { Condition } from "../../api/v1alpha1/fields.ts";
import { attempt, type DriverFailure, inWords } from "./driver-failure.ts";
import { freezeMs } from "./freeze.ts";
import { note, type Outcome, wait } from "./outcome.ts";
import { readTarget } from "./pods.ts";
import { type Move, type MoveRun, moveId, targetOf } from "./run.ts";
import { enteredAtMs, timeText } from "./status.ts";

const RETRY_MS = 500;
/** Once it is said that the target is silent. */
const SLOW_RETRY_MS = 5_000;
/** An agent that refuses for so long, and says that asking again won't help, will not release this copy. */
const REFUSED_MS = 60_000;
/** After this it is said that nobody knows whether the copy runs. */
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
  const { node, podUID } = targetOf(run.move);
  const result = await attempt(run.deps.driver.release(node, moveId(run), { podUID }));
  const nowMs = run.deps.clock.now();
  if (result.ok) {
    const freezeMilliseconds = freezeMs(run.move, result.value.releasedAtMs, nowMs);
    return note({ ...known(run, "True", "Released", "the copy runs"), freezeMilliseconds });
  }
  return unreleased(run, result.failure, nowMs - (enteredAtMs(run.move.status, "Committed") ?? nowMs));
}

async function unreleased(run: MoveRun, failure: DriverFailure, sinceMs: number): Promise<Outcome> {
  // The agent's word that the copy is dead. After any other refusal it may be held, or run.
  if (failure.reason === "ReleaseFailed" || failure.reason === "CopyDead")
    return note(known(run, "False", "ReleaseFailed", inWords(failure)));
  // Only a pod object that is gone says that nothing is left to release: a node that is cut off comes back.
  if ((await readTarget(run)) === undefined)
    return note(known(run, "False", "ReleaseFailed", "the target pod is gone, and its copy was not known to run"));
  if (failure.reason === "WrongState" && !failure.retryable && sinceMs > REFUSED_MS) return endCopy(run, failure);
  const message = `the copy is to be released: ${inWords(failure)}`;
  if (sinceMs <= SILENT_MS) return wait(RETRY_MS, message);
  return isSaid(run.move) ? wait(SLOW_RETRY_MS, message) : note(sayUnknown(run, failure));
}

/** The agent confirms that the copy never ran and is gone: then, and only then, the pod may start anew. */
async function endCopy(run: MoveRun, failure: DriverFailure): Promise<Outcome> {
  const aborted = await attempt(run.deps.driver.abort(targetOf(run.move).node, moveId(run)));
  const words = inWords(failure);
  if (!aborted.ok)
    return wait(RETRY_MS, `the copy can be neither released (${words}) nor ended: ${inWords(aborted.failure)}`);
  return note(known(run, "False", "ReleaseFailed", `the copy could not be released and was ended: ${words}`));
}

const isSaid = (move: Move): boolean => move.status.conditions.some(({ type }) => type === RELEASED);

function sayUnknown(run: MoveRun, failure: DriverFailure) {
  const { podName, node } = targetOf(run.move);
  const words =
    `nobody knows whether the copy on node ${node} runs: ${inWords(failure)}. The source stays frozen, and the release is repeated. ` +
    `If the node will not come back, delete pod ${podName} by force: then the pod starts anew, without its memory`;
  run.deps.events.record(run.move, "Warning", "TargetSilent", words);
  return known(run, "Unknown", "TargetSilent", words);
}

function known(run: MoveRun, status: Condition["status"], reason: string, message: string) {
  const lastTransitionTime = timeText(run.deps.clock.now());
  const others = run.move.status.conditions.filter(({ type }) => type !== RELEASED);
  return { conditions: [...others, { type: RELEASED, status, reason, message, lastTransitionTime }] };
}
