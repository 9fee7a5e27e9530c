/**
 * Committed: the target is the pod. From here everything goes forward: release it, hand it over, delete the source and end its
 * frozen tasks, clean both nodes. Each step looks at what is there, so a crash anywhere is mended by taking them again. What a silent
 * node keeps from being done is waited for, up to a limit, and then left to the sweep (../leftovers.ts), which goes by the commit, too.
 */

import { NODES } from "../../../kube/resources.ts";
import { type Attempt, attempt, type DriverFailure, inWords } from "../driver-failure.ts";
import { type Delay, handOver } from "../hand-over/hand-over.ts";
import { readPods } from "../hand-over/observe.ts";
import { removeSource } from "../hand-over/source-removal.ts";
import { advance, note, type Outcome, wait } from "../outcome.ts";
import { readSource } from "../pods.ts";
import { isEnded } from "../preflight/pod-facts.ts";
import { findProgramFailure, movedButFailed, programFailureOf } from "../program-watch.ts";
import { release, releasedForMs, releaseOf } from "../release.ts";
import { type MoveRun, moveId, required, sourceOf, targetOf } from "../run.ts";

const RETRY_MS = 500;
/** How long after the release the source's end is waited for. */
const SOURCE_PATIENCE_MS = 900_000;
/** How long after the release the target's clean-up is; its agent may still be filling the copy's memory. */
const TARGET_PATIENCE_MS = 120_000;
const FILLING_PATIENCE_MS = 1_800_000;

export async function committed(run: MoveRun): Promise<Outcome> {
  if (releaseOf(run.move) === undefined) return release(run);
  const pods = await readPods(run);
  const failure = findProgramFailure(run, pods.target);
  if (failure !== undefined) return note(failure);
  const handedOver = await handOver(run, pods);
  if (handedOver !== undefined) return wait(handedOver.afterMs, handedOver.message);
  const removed = (await removeSource(run)) ?? (await forgotten(run));
  if (removed === undefined) return cleanUp(run);
  // As long as the target's agent knows the move, a source left frozen is known to be the one to end: so it isn't cleaned now.
  return releasedForMs(run) > SOURCE_PATIENCE_MS ? ended(run, removed.message) : wait(removed.afterMs, removed.message);
}

/**
 * Until the API has forgotten the source's pod, its kubelet may not know that it is deleted, and would start it cold beside the copy: the
 * agent keeps it from that as long as its record is there.
 */
async function forgotten(run: MoveRun): Promise<Delay | undefined> {
  const source = await readSource(run);
  if (source === undefined || isEnded(source)) return undefined;
  if ((await run.deps.client.get(NODES, { name: sourceOf(run.move).node })) === undefined) return undefined;
  return { afterMs: RETRY_MS, message: "the copy runs; the source's kubelet has not confirmed the end of its pod" };
}

/** The source first: as long as the target's agent knows the move, a source left frozen is known to be the one to end. */
async function cleanUp(run: MoveRun): Promise<Outcome> {
  const { driver } = run.deps;
  const source = await leftOn(run, await attempt(driver.cleanup(sourceOf(run.move).node, "source", moveId(run))));
  if (source) return waitOrEnd(run, source, SOURCE_PATIENCE_MS);
  const cleaned = await attempt(driver.cleanup(targetOf(run.move).node, "target", moveId(run)));
  const target = await leftOn(run, cleaned);
  if (target === undefined) return ended(run, undefined, cleaned.ok ? cleaned.value.memoryLost : undefined);
  const filling = target.reason === "WrongState" && target.retryable;
  return waitOrEnd(run, target, filling ? FILLING_PATIENCE_MS : TARGET_PATIENCE_MS);
}

/** What keeps a node from being cleaned; a node that has left the cluster has nothing left. */
async function leftOn(run: MoveRun, result: Attempt<unknown>): Promise<DriverFailure | undefined> {
  if (result.ok || (await run.deps.client.get(NODES, { name: result.failure.node })) === undefined) return undefined;
  return result.failure;
}

function waitOrEnd(run: MoveRun, failure: DriverFailure, patienceMs: number): Outcome {
  const words = inWords(failure);
  return releasedForMs(run) > patienceMs ? ended(run, words) : wait(RETRY_MS, `clean-up: ${words}`);
}

/**
 * @param leftover what could not be done; the sweep does it when the node answers.
 * @param memoryLost why a copy that had been released was ended.
 */
function ended(run: MoveRun, leftover?: string, memoryLost?: string): Outcome {
  const outcome = required(run.move, "condition Released", releaseOf(run.move));
  const after = leftover === undefined ? "" : `; what is left is removed when its node answers: ${leftover}`;
  if (outcome.status === "True" && memoryLost !== undefined)
    return advance("Failed", "MemoryLost", `${memoryLost}; the pod starts anew on node ${run.move.status.targetNode}`);
  if (outcome.status === "True") {
    const failed = programFailureOf(run.move);
    const moved = { reason: "Moved", message: `runs on node ${run.move.status.targetNode}` };
    const { reason, message } = failed === undefined ? moved : movedButFailed(run.move, failed);
    return advance("Succeeded", reason, `${message}${after}`);
  }
  return advance("Failed", outcome.reason, `${outcome.message}; the pod starts anew${after}`);
}
