/**
 * Preparing: creates the target pod, registers it with its node's agent, lets it be scheduled, gives it its labels and waits until its
 * container's `create` is held there. The source goes on running all the while.
 */
import type { Pod } from "../../../kube/resources.ts";
import { attempt, inWords } from "../driver-failure.ts";
import { advance, note, type Outcome, rollBack, wait } from "../outcome.ts";
import { heldBackUntilDump } from "../pace.ts";
import { changeByAdmission, ensureTargetPod, readSource, readTarget, removeGate } from "../pods.ts";
import { runningContainer } from "../preflight/pod-facts.ts";
import { type MoveRun, moveId, sourceOf, targetOf } from "../run.ts";
import { openForSource } from "../sending.ts";
import { isBound, labelTarget } from "../target-labels.ts";
import { type Readiness, targetReadiness } from "../target-readiness.ts";

/** Between two looks at a target that is starting. */
const POLL_MS = 250;
/** An agent or pod that isn't there yet. */
const RETRY_MS = 1_000;

export async function preparing(run: MoveRun): Promise<Outcome> {
  const source = await readSource(run);
  const lost = sourceChanged(run, source);
  if (lost || source === undefined) return lost ?? rollBack("PodGone", "the source pod is gone");
  if (run.move.status.targetPodUID === undefined) return createTarget(run, source);
  const target = await readTarget(run);
  if (target === undefined) return rollBack("TargetPodGone", "the target pod was deleted");
  const changed = await changeByAdmission(run, source, target);
  return changed ? rollBack(changed.reason, changed.message) : prepareTarget(run, source, target);
}

/** A source that is being deleted, or whose container is another one by now, is not moved any more. */
function sourceChanged(run: MoveRun, source: Pod | undefined): Outcome | undefined {
  if (source === undefined) return rollBack("PodGone", "the source pod is gone");
  if (source.metadata.deletionTimestamp !== undefined)
    return rollBack("PodTerminating", "the source pod is being deleted");
  const { containerID } = sourceOf(run.move).container;
  const now = runningContainer(source)?.containerID;
  const running = source.status?.containerStatuses?.[0]?.state?.running !== undefined;
  if (running && now !== undefined && now === containerID) return undefined;
  return rollBack("ContainerRestarted", "the source's container ended or was restarted");
}

async function createTarget(run: MoveRun, source: Pod): Promise<Outcome> {
  const created = await ensureTargetPod(run, source);
  if (created.ok) return note({ targetPodUID: created.uid });
  return rollBack("NameTaken", `another pod is named ${run.move.status.targetPodName}`);
}

async function prepareTarget(run: MoveRun, source: Pod, target: Pod): Promise<Outcome> {
  const records = await attempt(run.deps.driver.moves(targetOf(run.move).node));
  if (!records.ok) return wait(RETRY_MS, inWords(records.failure));
  const { moveUID } = moveId(run);
  const record = records.value.find((one) => one.moveUID === moveUID && one.role === "target");
  const refused = record?.state === "receiving" ? undefined : await register(run);
  if (refused) return refused;
  if (heldBackUntilDump(run.move)) return open(run, source);
  await removeGate(run, target);
  if (!isBound(target)) return notReady(targetReadiness(target, run.deps.clock.now()));
  const denied = await labelTarget(run, target);
  if (denied) return rollBack(denied.reason, denied.message);
  if (record?.createWaiting) return open(run, source);
  return notReady(targetReadiness(target, run.deps.clock.now()));
}

/** Undefined when the agent knows the target pod: from now on it is restored or fails, never started cold. */
async function register(run: MoveRun): Promise<Outcome | undefined> {
  const { node, podUID } = targetOf(run.move);
  const { containerName } = sourceOf(run.move).container;
  const registered = await attempt(run.deps.driver.register(node, moveId(run), { podUID, containerName }));
  if (registered.ok) return undefined;
  return registered.failure.retryable
    ? wait(RETRY_MS, inWords(registered.failure))
    : rollBack("RegisterFailed", inWords(registered.failure));
}

function notReady(readiness: Readiness): Outcome {
  if (readiness.kind === "hopeless") return rollBack(readiness.reason, readiness.message);
  return wait(POLL_MS, readiness.message);
}

/** The page server and the way for files are opened last, so that little is staged in vain. */
async function open(run: MoveRun, source: Pod): Promise<Outcome> {
  const opened = await openForSource(run, source);
  if (!opened.ok) {
    return opened.failure.retryable
      ? wait(RETRY_MS, inWords(opened.failure))
      : rollBack("ReceiveFailed", inWords(opened.failure));
  }
  run.scratch.sending = opened.value;
  return advance("Frozen", "TargetReady", `the target on node ${targetOf(run.move).node} waits for the pages`);
}
