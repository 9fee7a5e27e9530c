/**
 * RollingBack: the source goes on from where it was, the copy goes. The source is resumed immediately, whether or not the target
 * answers: a release is only ever sent after Committed has been written, and now it never will be; and a commit is only taken back once
 * the copy has been ruled out (docs/moves.md).
 */
import { type Attempt, attempt, type DriverFailure, inWords } from "../driver-failure.ts";
import { freezeOfSource } from "../freeze.ts";
import { WITHDRAWN } from "../interruption.ts";
import { advance, type Outcome, type StatusChanges, wait } from "../outcome.ts";
import { deletePod, readSource, readTarget } from "../pods.ts";
import { type MoveRun, moveId, sourceOf, targetOf } from "../run.ts";
import { enteredAtMs } from "../status.ts";

const RETRY_MS = 500;
/** A target that is cut off is cleared up by the sweep (../leftovers.ts) once it is back; the move doesn't wait longer. */
const TARGET_PATIENCE_MS = 30_000;

/** What is still to be done on one side; undefined when nothing is. */
type Pending = string | undefined;

export async function rollingBack(run: MoveRun): Promise<Outcome> {
  const [source, target] = await Promise.all([resumeSource(run), removeTarget(run)]);
  if (source.left !== undefined) return wait(RETRY_MS, source.left);
  const sinceMs = run.deps.clock.now() - (enteredAtMs(run.move.status, "RollingBack") ?? 0);
  if (target !== undefined && sinceMs < TARGET_PATIENCE_MS) return wait(RETRY_MS, target);
  return ended(run, target, source.freeze);
}

/** The reason of the roll-back stays the reason of its end. */
function ended(run: MoveRun, leftover: Pending, freeze: StatusChanges): Outcome {
  const { reason = "RolledBack" } = run.move.status;
  const phase = WITHDRAWN.has(reason) ? "Cancelled" : "RolledBack";
  const after = leftover === undefined ? "" : `; what is left on the target is removed when it answers: ${leftover}`;
  return advance(phase, reason, `${whyOf(run)}${after}`, freeze);
}

/** The words written on entering RollingBack; a wait since may have replaced them in the message. */
function whyOf(run: MoveRun): string {
  const condition = run.move.status.conditions.find(({ type }) => type === "Committed");
  return condition?.message ?? run.move.status.message ?? "rolled back";
}

/** `freeze`: how long it was frozen, as far as its agent tells. A repeated `resume` is answered as the first was. */
interface SourceEnd {
  left: Pending;
  freeze: StatusChanges;
}

async function resumeSource(run: MoveRun): Promise<SourceEnd> {
  if (enteredAtMs(run.move.status, "Frozen") === undefined) return { left: undefined, freeze: {} };
  const { node, container } = sourceOf(run.move);
  const resumed = await attempt(run.deps.driver.resume(node, moveId(run), container));
  const freeze = resumed.ok ? freezeOfSource(run.move, resumed.value, run.deps.clock.now()) : {};
  if (!resumed.ok && resumed.failure.reason !== "SourceGone")
    return { left: await silentAndGone(run, resumed.failure), freeze };
  return { left: leftToDo(await attempt(run.deps.driver.cleanup(node, "source", moveId(run)))), freeze };
}

/** A source that is deleted on a node that doesn't answer has nothing left to resume: its kubelet removes it on return. */
async function silentAndGone(run: MoveRun, failure: DriverFailure): Promise<Pending> {
  const silent = failure.reason === "Unreachable" || failure.reason === "NoAgent";
  if (silent && (await readSource(run)) === undefined) return undefined;
  return `the source is to be resumed: ${inWords(failure)}`;
}

/**
 * First its `create` is barred, then the pod is deleted: a copy that its agent has released after all, which only an API that lost its
 * latest writes can bring about, is left alone. The bar may only go once the pod is gone from the API: until then its kubelet may know
 * of the pod and not of its deletion, and would start it cold.
 */
async function removeTarget(run: MoveRun): Promise<Pending> {
  const aborted = await abortTarget(run);
  if (aborted?.reason === "AlreadyReleased") return inWords(aborted);
  const there = await deleteTarget(run);
  if (aborted !== undefined) return inWords(aborted);
  if (run.move.status.targetPodUID === undefined) return undefined;
  if (there && (await readTarget(run)) !== undefined) return "the target pod is to be ended by its kubelet";
  const { node } = targetOf(run.move);
  return leftToDo(await attempt(run.deps.driver.cleanup(node, "target", moveId(run))));
}

async function deleteTarget(run: MoveRun): Promise<boolean> {
  const pod = await readTarget(run);
  if (pod) await deletePod(run.deps.client, pod);
  return pod !== undefined;
}

async function abortTarget(run: MoveRun): Promise<DriverFailure | undefined> {
  // Without a recorded UID it was never registered, and never left its scheduling gate.
  if (run.move.status.targetPodUID === undefined) return undefined;
  const aborted = await attempt(run.deps.driver.abort(targetOf(run.move).node, moveId(run)));
  return aborted.ok ? undefined : aborted.failure;
}

function leftToDo(result: Attempt<unknown>): Pending {
  return result.ok ? undefined : inWords(result.failure);
}
