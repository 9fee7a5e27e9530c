/**
 * Committed: the target is the pod. From here everything goes forward: release it, hand it over, delete the source and end its
 * frozen tasks, clean both nodes. Each step looks at what is there, so a crash anywhere is mended by taking them again.
 */

import { NODES } from "../../../kube/resources.ts";
import { type Attempt, attempt, inWords } from "../driver-failure.ts";
import { freezeMs } from "../freeze.ts";
import { handOver } from "../hand-over/hand-over.ts";
import { readPods } from "../hand-over/observe.ts";
import { removeSource } from "../hand-over/source-removal.ts";
import { advance, note, type Outcome, wait } from "../outcome.ts";
import { readTarget } from "../pods.ts";
import { type MoveRun, moveId, required, sourceOf, targetOf } from "../run.ts";
import { timeText } from "../status.ts";

const RETRY_MS = 500;

/** Condition: the copy was let go. False when it died before. */
const RELEASED = "Released";

export async function committed(run: MoveRun): Promise<Outcome> {
  if (releaseOf(run) === undefined) return release(run);
  const pods = await readPods(run);
  const handedOver = await handOver(run, pods);
  if (handedOver !== undefined) return wait(handedOver.afterMs, handedOver.message);
  const removed = await removeSource(run);
  if (removed !== undefined) return wait(removed.afterMs, removed.message);
  return cleanUp(run);
}

function releaseOf(run: MoveRun) {
  return run.move.status.conditions.find((condition) => condition.type === RELEASED);
}

async function release(run: MoveRun): Promise<Outcome> {
  const result = await attempt(run.deps.driver.release(targetOf(run.move).node, moveId(run)));
  const nowMs = run.deps.clock.now();
  if (result.ok) return released(run, true, "the copy runs", freezeMs(run.move, result.value.releasedAtMs, nowMs));
  const { failure } = result;
  // The agent's word that the copy is dead. After any other refusal it may be held, or run.
  if (failure.reason === "ReleaseFailed") return released(run, false, inWords(failure));
  // Only a pod object that is gone says that nothing is left to release: a node that is cut off comes back.
  if ((await readTarget(run)) === undefined) return released(run, false, "the target pod is gone");
  return wait(RETRY_MS, `the copy is to be released: ${inWords(failure)}`);
}

function released(run: MoveRun, ok: boolean, message: string, freezeMilliseconds?: number): Outcome {
  const lastTransitionTime = timeText(run.deps.clock.now());
  const reason = ok ? "Released" : "ReleaseFailed";
  const condition = {
    type: RELEASED,
    status: ok ? ("True" as const) : ("False" as const),
    reason,
    message,
    lastTransitionTime,
  };
  return note({
    conditions: [...run.move.status.conditions, condition],
    ...(freezeMilliseconds === undefined ? {} : { freezeMilliseconds }),
  });
}

/** The source first: as long as the target's agent knows the move, a source left frozen is known to be the one to end. */
async function cleanUp(run: MoveRun): Promise<Outcome> {
  const { driver } = run.deps;
  const source = await attempt(driver.cleanup(sourceOf(run.move).node, "source", moveId(run)));
  if (await stillThere(run, source)) return wait(RETRY_MS, `clean-up: ${wordsOf(source)}`);
  const target = await attempt(driver.cleanup(targetOf(run.move).node, "target", moveId(run)));
  if (await stillThere(run, target)) return wait(RETRY_MS, `clean-up: ${wordsOf(target)}`);
  return ended(run);
}

/** True when there is something left to clean: a node that has left the cluster has nothing. */
async function stillThere(run: MoveRun, result: Attempt<void>): Promise<boolean> {
  return !result.ok && (await run.deps.client.get(NODES, { name: result.failure.node })) !== undefined;
}

function wordsOf(result: Attempt<void>): string {
  return result.ok ? "" : inWords(result.failure);
}

function ended(run: MoveRun): Outcome {
  const outcome = required(run.move, "condition Released", releaseOf(run));
  if (outcome.status === "True") return advance("Succeeded", "Moved", `runs on node ${run.move.status.targetNode}`);
  return advance("Failed", outcome.reason, `${outcome.message}; the pod starts anew`);
}
