/**
 * Frozen: pauses the source and dumps its pages straight to the target. This phase is written before the pause. When it is
 * taken up again after a crash, the restore may already have been called: the target's agent says so.
 */
import type { Dumped, MoveRecord } from "../../../agent/protocol.ts";
import { wordOf } from "../decision/observe.ts";
import { decided, type Known, settle } from "../decision/settle.ts";
import type { Refusal } from "../dependencies.ts";
import { type Attempt, attempt, type DriverFailure, inWords, reasonFor } from "../driver-failure.ts";
import {
  allowanceOf,
  type FreezeVerdict,
  freezeLimits,
  frozenSinceMs,
  hasBegun,
  judgeFreeze,
} from "../freeze-watch.ts";
import { livenessGuard } from "../liveness-guard.ts";
import { advance, note, type Outcome, rollBack, type StatusChanges, wait } from "../outcome.ts";
import { heldBackUntilDump } from "../pace.ts";
import { readSource, readTarget, removeGate } from "../pods.ts";
import { restoreTarget } from "../restore-target.ts";
import { type MoveRun, moveId, type Sending, sourceOf, targetOf } from "../run.ts";
import { openForSource } from "../sending.ts";
import { timeText } from "../status.ts";
import { isBound, labelTarget } from "../target-labels.ts";
import { imageTrouble } from "../target-readiness.ts";
import { watched } from "../watched.ts";

const RETRY_MS = 500;
/** A leader renews its lease every other second: with an older one the API server may be going away. */
const OLD_LEASE_MS = 4_000;

/** While this phase waits, for an agent that is silent say, the source may be frozen. */
export async function frozen(run: MoveRun): Promise<Outcome> {
  const outcome = await step(run);
  return outcome.kind === "wait" ? ((await livenessGuard(run)) ?? outcome) : outcome;
}

async function step(run: MoveRun): Promise<Outcome> {
  const { sending } = run.scratch;
  if (sending !== undefined) return dump(run, sending);
  const target = await guarded(run, () => attempt(targetRecord(run)));
  if ("kind" in target) return target;
  if (!target.ok) return wait(RETRY_MS, inWords(target.failure));
  if (target.value?.images === "whole" || RESTORED.has(target.value?.state)) {
    // The controller that dumped may have gone before it opened the gate.
    const denied = await letGo(run);
    if (denied) return settled(run, { failed: denied });
    return advance("Restoring", "Dumped", "the pages are on the target, taken up again");
  }
  if (target.value?.state === "aborted") return settled(run, {});
  return reopenAndDump(run);
}

/** The source may stand frozen already, and an agent that is cut off answers late or never. */
function guarded<T>(run: MoveRun, begin: (givenUp: AbortSignal) => Promise<Attempt<T>>): Promise<Attempt<T> | Outcome> {
  return watched(run, begin, () => livenessGuard(run));
}

const RESTORED: ReadonlySet<MoveRecord["state"] | undefined> = new Set(["restoring", "held"]);

async function targetRecord(run: MoveRun): Promise<MoveRecord | undefined> {
  const { moveUID } = moveId(run);
  const records = await run.deps.driver.moves(targetOf(run.move).node);
  return records.find((record) => record.moveUID === moveUID && record.role === "target");
}

async function reopenAndDump(run: MoveRun): Promise<Outcome> {
  const source = await readSource(run);
  if (source === undefined) return settled(run, { failed: { reason: "PodGone", message: "the source pod is gone" } });
  const opened = await guarded(run, (givenUp) => openForSource(run, source, givenUp));
  if ("kind" in opened) return opened;
  if (!opened.ok) return failed(run, "ReceiveFailed", opened.failure);
  return dump(run, opened.value);
}

async function dump(run: MoveRun, sending: Sending): Promise<Outcome> {
  const leaseMs = run.term.renewedAgoMs?.() ?? 0;
  if (leaseMs > OLD_LEASE_MS) return wait(RETRY_MS, `nothing is frozen on a lease that was renewed ${leaseMs} ms ago`);
  const { node, container } = sourceOf(run.move);
  const limits = freezeLimits(run.move, run.deps.clock.now());
  const options = { ...sending, tcp: run.move.spec.tcp, limits };
  const send = (givenUp: AbortSignal) => attempt(run.deps.driver.dump(node, moveId(run, givenUp), container, options));
  const verdict = freezeVerdicts(run);
  const result = await watched(run, send, async () => act(run, await verdict()));
  // The way that was opened is used up: whoever tries again opens one anew.
  delete run.scratch.sending;
  if ("kind" in result) return result;
  if (!result.ok) return dumpFailed(run, result.failure);
  if (heldBackUntilDump(run.move)) await letGo(run);
  return dumped(run, result.value);
}

/** One verdict on the freeze for each look. */
function freezeVerdicts(run: MoveRun): () => Promise<FreezeVerdict> {
  const expected = run.move.status.freeze;
  let grown = { sentBytes: 0, atMs: run.deps.clock.now() };
  let pausedAtMs: number | undefined;
  let begunAtMs: number | undefined;
  return async () => {
    const word = await wordOf(run, targetOf(run.move).node, "target");
    const progress = typeof word === "object" ? word.progress : undefined;
    const nowMs = run.deps.clock.now();
    if (progress !== undefined && progress.sentBytes > grown.sentBytes) grown = { ...progress, atMs: nowMs };
    if (progress !== undefined && hasBegun(progress)) begunAtMs ??= nowMs;
    else if (await isPaused(run)) pausedAtMs ??= nowMs;
    if (expected === undefined) return { kind: "goOn" };
    const allowance = allowanceOf(run.move, nowMs);
    const sinceMs = frozenSinceMs(run.move, nowMs);
    return judgeFreeze({ nowMs, sinceMs, expected, allowance, progress, pausedAtMs, begunAtMs, grewAtMs: grown.atMs });
  };
}

/** One whose agent is silent is not known to be. */
async function isPaused(run: MoveRun): Promise<boolean> {
  const word = await wordOf(run, sourceOf(run.move).node, "source");
  return typeof word === "object" && word.process !== undefined;
}

async function act(run: MoveRun, verdict: FreezeVerdict): Promise<Outcome | undefined> {
  switch (verdict.kind) {
    case "rollBack":
      return decided(await settle(run, { failed: verdict }));
    case "expectLonger":
      return note({ freeze: verdict.freeze }); // the dump goes on, and the same phase's next step joins it
    case "letGo":
      return (heldBackUntilDump(run.move) ? denied(await letGo(run)) : undefined) ?? lookAtTarget(run);
    case "goOn":
      return lookAtTarget(run);
  }
}

function denied(refusal: Refusal | undefined): Outcome | undefined {
  return refusal && rollBack(refusal.reason, refusal.message);
}

/** A target that can't be started keeps the source frozen for nothing. */
async function lookAtTarget(run: MoveRun): Promise<Outcome | undefined> {
  const target = await readTarget(run);
  const trouble = target && imageTrouble(target);
  return trouble && rollBack(trouble.reason, trouble.message);
}

/** It gets its labels as soon as it is bound. What denies them ends the move. */
async function letGo(run: MoveRun): Promise<Refusal | undefined> {
  const target = await readTarget(run);
  if (target === undefined) return undefined;
  await removeGate(run, target);
  return isBound(target) ? labelTarget(run, target) : undefined;
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
  const { memoryBytes, transferredBytes, linkBytesPerSecond } = answer;
  const { freeze } = run.move.status;
  return {
    ...(freeze && linkBytesPerSecond !== undefined ? { freeze: { ...freeze, linkBytesPerSecond } } : {}),
    frozenAt: timeText(answer.frozenAtMs),
    timings: answer.timings,
    ...(container === undefined ? {} : { containers: [{ ...container, memoryBytes, transferredBytes }, ...others] }),
  };
}

/** A link that was found too slow ends the move before the freeze: what to do about it is added. */
function dumpFailed(run: MoveRun, failure: DriverFailure): Promise<Outcome> {
  if (failure.reason !== "LinkTooSlow") return failed(run, reasonFor(failure, "DumpFailed"), failure);
  const { because } = allowanceOf(run.move, run.deps.clock.now());
  return settled(run, { failed: { reason: "LinkTooSlow", message: `${inWords(failure)}: ${because}` } });
}

async function failed(run: MoveRun, reason: string, failure: DriverFailure): Promise<Outcome> {
  const message = inWords(failure);
  return failure.retryable ? wait(RETRY_MS, message) : settled(run, { failed: { reason, message } });
}

/** Should the pages be there in spite of the failure, the source's end does not stop the move. */
async function settled(run: MoveRun, known: Known): Promise<Outcome> {
  const outcome = await settle(run, known);
  if (outcome.kind !== "undecided") return outcome;
  return wait(RETRY_MS, outcome.decision.why);
}
