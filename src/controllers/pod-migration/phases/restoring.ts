/**
 * Restoring: the copy is restored and held before its first instruction; then the one decision of a move is taken. It is a
 * single status write, admitted only if nothing changed since the move was read: Committed or RollingBack, never both.
 */
import type { Restored } from "../../../agent/protocol.ts";
import type { Pod } from "../../../kube/resources.ts";
import { type Attempt, attempt, inWords } from "../driver-failure.ts";
import { handOverOf } from "../hand-over/belongings.ts";
import { interruption } from "../interruption.ts";
import { advance, type Outcome, rollBack, wait } from "../outcome.ts";
import { readSource } from "../pods.ts";
import { bareId } from "../preflight/pod-facts.ts";
import { restoreTarget } from "../restore-target.ts";
import { type Move, type MoveRun, sourceOf } from "../run.ts";
import { watched } from "../watched.ts";

const RETRY_MS = 500;
/** An answer older than this is asked anew before the commit: the held copy may have died since. */
const FRESH_MS = 250;

export async function restoring(run: MoveRun): Promise<Outcome> {
  const source = readSource(run);
  source.catch(() => {}); // awaited below unless the restore is given up
  const restored = await watched(run, attempt(heldCopy(run)));
  if ("kind" in restored) return restored;
  return decide(run.move, restored, await source, run.deps.clock.now());
}

/** What is committed must be held now, not some time ago: writing the phase may have taken long. */
async function heldCopy(run: MoveRun): Promise<Restored> {
  const early = run.scratch.restore;
  delete run.scratch.restore;
  const answer = await (early ?? restoreTarget(run));
  const fresh = run.deps.clock.now() - answer.atMs <= FRESH_MS;
  return fresh ? answer.restored : (await restoreTarget(run)).restored;
}

/**
 * A source pod that is gone or silent after a complete dump doesn't stop the commit: its memory is on the target. One that
 * somebody deletes, or that runs anew, does: committing would keep what was to go, or make two.
 */
export function decide(move: Move, restored: Attempt<Restored>, source: Pod | undefined, nowMs: number): Outcome {
  if (!restored.ok) {
    return restored.failure.retryable
      ? wait(RETRY_MS, inWords(restored.failure))
      : rollBack("RestoreFailed", inWords(restored.failure));
  }
  const interrupted = interruption(move, nowMs);
  if (interrupted) return rollBack(interrupted.reason, interrupted.message);
  if (source?.metadata.deletionTimestamp !== undefined) {
    return rollBack("PodTerminating", "the source pod was deleted while it was frozen");
  }
  if (source && restarted(move, source)) return rollBack("ContainerRestarted", "the source's container was restarted");
  const carried = source ? { handOver: handOverOf(source) } : {};
  return advance("Committed", "Restored", `the copy on node ${move.status.targetNode} goes on from here`, {
    ...carried,
    timings: restored.value.timings,
  });
}

function restarted(move: Move, source: Pod): boolean {
  const now = source.status?.containerStatuses?.[0]?.containerID;
  return now !== undefined && bareId(now) !== sourceOf(move).container.containerID;
}
