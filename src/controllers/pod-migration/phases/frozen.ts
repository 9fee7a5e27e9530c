/**
 * Frozen: pauses the source and dumps its pages straight to the target. This phase is written before the pause. When it is
 * taken up again after a crash, the restore may already have been called: the target's agent says so.
 */
import type { Dumped, MoveRecord } from "../../../agent/protocol.ts";
import { attempt, type DriverFailure, inWords } from "../driver-failure.ts";
import { advance, type Outcome, rollBack, type StatusChanges, wait } from "../outcome.ts";
import { gateDelayMs, heldBackUntilDump } from "../pace.ts";
import { readSource, readTarget, removeGate } from "../pods.ts";
import { restoreTarget } from "../restore-target.ts";
import { type MoveRun, moveId, type Sending, sourceOf, targetOf } from "../run.ts";
import { openForSource } from "../sending.ts";
import { timeText } from "../status.ts";
import { imageTrouble } from "../target-readiness.ts";
import { watched } from "../watched.ts";

const RETRY_MS = 500;

export async function frozen(run: MoveRun): Promise<Outcome> {
  const { sending } = run.scratch;
  if (sending !== undefined) return dump(run, sending);
  const target = await attempt(targetState(run));
  if (!target.ok) return wait(RETRY_MS, inWords(target.failure));
  if (target.value === "restoring" || target.value === "held") {
    return advance("Restoring", "Dumped", "the pages are on the target, taken up again");
  }
  return reopenAndDump(run);
}

async function targetState(run: MoveRun): Promise<MoveRecord["state"] | undefined> {
  const { moveUID } = moveId(run);
  const records = await run.deps.driver.moves(targetOf(run.move).node);
  return records.find((record) => record.moveUID === moveUID && record.role === "target")?.state;
}

async function reopenAndDump(run: MoveRun): Promise<Outcome> {
  const source = await readSource(run);
  if (source === undefined) return rollBack("PodGone", "the source pod was deleted before its dump was complete");
  const opened = await openForSource(run, source);
  if (!opened.ok) return failed("ReceiveFailed", opened.failure);
  return dump(run, opened.value);
}

async function dump(run: MoveRun, sending: Sending): Promise<Outcome> {
  const { node, container } = sourceOf(run.move);
  const options = { ...sending, tcp: run.move.spec.tcp };
  const startedMs = run.deps.clock.now();
  const send = (givenUp: AbortSignal) => attempt(run.deps.driver.dump(node, moveId(run, givenUp), container, options));
  const result = await watched(run, send, () => lookAtTarget(run, startedMs));
  // The way that was opened is used up: whoever tries again opens one anew.
  delete run.scratch.sending;
  if ("kind" in result) return result;
  if (!result.ok) return failed("DumpFailed", result.failure);
  if (heldBackUntilDump(run.move)) await letGo(run);
  return dumped(run, result.value);
}

/** Its gate is removed in time for the end of the dump. A target that can't be started keeps the source frozen for nothing. */
async function lookAtTarget(run: MoveRun, startedMs: number): Promise<Outcome | undefined> {
  const due = run.deps.clock.now() - startedMs >= gateDelayMs(run.move);
  if (heldBackUntilDump(run.move) && due) await letGo(run);
  const target = await readTarget(run);
  const trouble = target && imageTrouble(target);
  return trouble && rollBack(trouble.reason, trouble.message);
}

async function letGo(run: MoveRun): Promise<void> {
  const target = await readTarget(run);
  if (target) await removeGate(run, target);
}

/** The restore is called at once; the phase is written while it runs. */
function dumped(run: MoveRun, answer: Dumped): Outcome {
  const abandon = new AbortController();
  const restore = restoreTarget(run, abandon.signal);
  restore.catch(() => {}); // Restoring awaits it and deals with the failure; should that be skipped, nobody is left unheard
  run.scratch.restore = { answer: restore, abandon };
  return advance("Restoring", "Dumped", "the pages are on the target", figures(run, answer));
}

function figures(run: MoveRun, answer: Dumped): StatusChanges {
  const [container, ...others] = run.move.status.containers;
  const { memoryBytes, transferredBytes } = answer;
  return {
    frozenAt: timeText(answer.frozenAtMs),
    timings: answer.timings,
    ...(container === undefined ? {} : { containers: [{ ...container, memoryBytes, transferredBytes }, ...others] }),
  };
}

function failed(reason: string, failure: DriverFailure): Outcome {
  return failure.retryable ? wait(RETRY_MS, inWords(failure)) : rollBack(reason, inWords(failure));
}
