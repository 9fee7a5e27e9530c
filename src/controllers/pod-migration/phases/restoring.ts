/**
 * Restoring: the copy is restored and held before its first instruction; then the one decision of a move is taken. It is a
 * single status write, admitted only if nothing changed since the move was read: Committed or RollingBack, never both.
 */
import type { Restored } from "../../../agent/protocol.ts";
import { sleep } from "../../../kube/clock.ts";
import type { Pod } from "../../../kube/resources.ts";
import type { Refusal } from "../dependencies.ts";
import { attempt, inWords } from "../driver-failure.ts";
import { handOverOf } from "../hand-over/belongings.ts";
import { interruption } from "../interruption.ts";
import { advance, type Outcome, rollBack, wait } from "../outcome.ts";
import { readSource, readTarget } from "../pods.ts";
import { isPinned } from "../preflight/pod-facts.ts";
import { restoreTarget } from "../restore-target.ts";
import { type Move, type MoveRun, moveId, sourceOf } from "../run.ts";
import { watched } from "../watched.ts";

const RETRY_MS = 500;
/** What was asked longer ago than this is asked anew before the commit: the held copy may have died since. */
const FRESH_MS = 250;
/** The source's agent is given this long to say that its container has changed. */
const SILENT_MS = 250;

export async function restoring(run: MoveRun): Promise<Outcome> {
  const restored = await watched(run, (givenUp) => attempt(heldCopy(run, givenUp)));
  if ("kind" in restored) return restored;
  if (!restored.ok) {
    const { retryable } = restored.failure;
    return retryable ? wait(RETRY_MS, inWords(restored.failure)) : rollBack("RestoreFailed", inWords(restored.failure));
  }
  return decide(run.move, restored.value, await sidesNow(run), run.deps.clock.now());
}

/** What is committed must be held now, not some time ago: writing the phase may have taken long. */
async function heldCopy(run: MoveRun, givenUp: AbortSignal): Promise<Restored> {
  const early = run.scratch.restore;
  delete run.scratch.restore;
  givenUp.addEventListener("abort", () => early?.abandon.abort());
  const answer = await (early?.answer ?? restoreTarget(run, givenUp));
  const fresh = run.deps.clock.now() - answer.askedAtMs <= FRESH_MS;
  return fresh ? answer.restored : (await restoreTarget(run, givenUp)).restored;
}

/** Both sides as they are when the copy is known to be held. */
export interface Sides {
  source: Pod | undefined;
  target: Pod | undefined;
  /** The source's agent finds that its container is not as it was frozen. */
  sourceChanged: boolean;
}

/** The pod is frozen: everything is asked side by side, and an agent that is silent isn't waited for. */
async function sidesNow(run: MoveRun): Promise<Sides> {
  const [source, target, changed] = await Promise.all([readSource(run), readTarget(run), sourceChanged(run)]);
  return { source, target, sourceChanged: changed };
}

async function sourceChanged(run: MoveRun): Promise<boolean> {
  const ended = new AbortController();
  const asked = attempt(run.deps.driver.moves(sourceOf(run.move).node)).finally(() => ended.abort());
  asked.catch(() => {}); // awaited below unless the agent is silent
  await sleep(run.deps.clock, SILENT_MS, ended.signal);
  const answer = ended.signal.aborted ? await asked : undefined;
  const records = answer?.ok ? answer.value : [];
  const { moveUID } = moveId(run);
  return records.some(
    (one) => one.moveUID === moveUID && one.role === "source" && one.process !== undefined && one.process !== "frozen",
  );
}

/**
 * A source pod that is gone or silent after a complete dump doesn't stop the commit: its memory is on the target. One that
 * somebody deletes, or that runs anew, does: committing would keep what was to go, or make two. So does a target that is to go.
 */
export function decide(move: Move, restored: Restored, sides: Sides, nowMs: number): Outcome {
  const against = interruption(move, nowMs) ?? againstSource(move, sides) ?? againstTarget(sides.target);
  if (against) return rollBack(against.reason, against.message);
  const carried = sides.source ? { handOver: handOverOf(sides.source) } : {};
  return advance("Committed", "Restored", `the copy on node ${move.status.targetNode} goes on from here`, {
    ...carried,
    timings: restored.timings,
  });
}

function againstSource(move: Move, { source, sourceChanged: changed }: Sides): Refusal | undefined {
  if (source?.metadata.deletionTimestamp !== undefined) {
    return { reason: "PodTerminating", message: "the source pod was deleted while it was frozen" };
  }
  if (changed || (source && !isPinned(source, sourceOf(move).container.containerID))) {
    return {
      reason: "ContainerRestarted",
      message: "the source's container ended or was restarted while it was frozen",
    };
  }
  return undefined;
}

/** A copy that is to go would be committed to, and the source ended for it. */
function againstTarget(target: Pod | undefined): Refusal | undefined {
  if (target === undefined || target.metadata.deletionTimestamp !== undefined) {
    return { reason: "TargetPodGone", message: "the target pod was deleted before the commit" };
  }
  const { phase } = target.status ?? {};
  if (phase !== "Failed" && phase !== "Succeeded") return undefined;
  return {
    reason: "TargetPodFailed",
    message: `the target pod ended before the commit: ${target.status?.message ?? phase}`,
  };
}
