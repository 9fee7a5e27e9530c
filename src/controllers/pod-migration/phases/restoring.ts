/**
 * Restoring: the copy is restored and held before its first instruction; then the one decision of a move is taken. It is a
 * single status write, admitted only if nothing changed since the move was read: Committed or RollingBack, never both.
 */
import type { Restored } from "../../../agent/protocol.ts";
import { type Settled, settle } from "../decision/settle.ts";
import { attempt, inWords, reasonFor } from "../driver-failure.ts";
import { livenessGuard } from "../liveness-guard.ts";
import { type Outcome, wait } from "../outcome.ts";
import { restoreTarget } from "../restore-target.ts";
import type { MoveRun } from "../run.ts";
import { watched } from "../watched.ts";

const RETRY_MS = 500;
/** The controller queries the agent again before the commit if its answer is older than this: the held copy may have died since. */
const FRESH_MS = 250;

export async function restoring(run: MoveRun): Promise<Outcome> {
  const restore = (givenUp: AbortSignal) => attempt(heldCopy(run, givenUp));
  const restored = await watched(run, restore, () => livenessGuard(run));
  if ("kind" in restored) return restored;
  if (restored.ok)
    return settledOn(run, await settle(run, { copy: "held", changes: { timings: restored.value.timings } }));
  const message = inWords(restored.failure);
  if (restored.failure.retryable) return (await livenessGuard(run)) ?? wait(RETRY_MS, message);
  // A copy that has died may be restored again: the table says when.
  const dead = restored.failure.reason === "CopyDead";
  const failed = { reason: reasonFor(restored.failure, "RestoreFailed"), message };
  return settledOn(run, await settle(run, dead ? { copy: "dead" } : { failed }));
}

async function settledOn(run: MoveRun, settled: Settled): Promise<Outcome> {
  if (settled.kind !== "undecided") return settled;
  if (settled.decision.action !== "restore again") return wait(RETRY_MS, settled.decision.why);
  const again = await attempt(restoreTarget(run, run.term.signal, true));
  return wait(
    RETRY_MS,
    again.ok ? "the copy was restored again" : `${settled.decision.why}: ${inWords(again.failure)}`,
  );
}

/** What is committed must be held now, not some time ago: writing the phase may have taken long. */
async function heldCopy(run: MoveRun, givenUp: AbortSignal): Promise<Restored> {
  const early = run.scratch.restore;
  delete run.scratch.restore;
  givenUp.addEventListener("abort", () => early?.abandon.abort());
  const answer = await (early?.answer ?? restoreTarget(run, givenUp));
  const fresh = run.deps.clock.monotonicMs() - answer.askedAtMs <= FRESH_MS;
  return fresh ? answer.restored : (await restoreTarget(run, givenUp)).restored;
}
