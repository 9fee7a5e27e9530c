/**
 * A frozen move while the API server does not answer. After a short while the freeze is ended without it: the target's agent first rules
 * out a release for good, then the source is resumed. The controller that leads when the API is back finds the copy aborted and writes
 * RollingBack; should the commit have been written after all, it takes it back.
 */
import { POD_MIGRATIONS } from "../../../api/v1alpha1/pod-migration.ts";
import { KubeError } from "../../../kube/client.ts";
import { sleep } from "../../../kube/clock.ts";
import { attempt, inWords, SupersededError } from "../driver-failure.ts";
import { type MoveRun, sourceOf, targetOf } from "../run.ts";
import { decide } from "./decide.ts";
import { observeWithoutApi } from "./observe.ts";

/**
 * How long the API server may be away while a source is frozen. With the time that a request may hang (./impatient-client.ts) this ends the
 * freeze well before a liveness probe of Kubernetes' defaults (10 s × 3) restarts the pod.
 */
const PATIENCE_MS = 4_000;
const RETRY_MS = 500;

/** Since when the API server has not answered, by the controller's monotonic clock. */
export interface Away {
  sinceMs: number;
}

/** Long enough for a frozen source not to wait any more. */
export function isAwayForLong({ sinceMs }: Away, nowMs: number): boolean {
  return nowMs - sinceMs >= PATIENCE_MS;
}

/** The API server cannot be used: it does not answer, or its answer says nothing of the object. While a pod is frozen these are the same. */
export function isAway(error: unknown): boolean {
  return error instanceof KubeError && error.reason !== "Conflict" && error.reason !== "NotFound";
}

/** Resolves when the API server answers again, when the source or the copy goes on without it, or when another controller leads. */
export async function waitForApi(run: MoveRun, away: Away): Promise<void> {
  // Not bound to the leader's term, which may end for the same reason: agents refuse it once they have heard of a later one.
  const unbound = { ...run, term: { epoch: run.term.epoch, signal: new AbortController().signal } };
  const { clock } = run.deps;
  for (;;) {
    if (isAwayForLong(away, clock.monotonicMs()) && (await standsDown(unbound))) return;
    if (await answers(run)) return;
    await sleep(clock, RETRY_MS);
  }
}

async function answers({ deps, move }: MoveRun): Promise<boolean> {
  const { namespace, name } = move.metadata;
  try {
    await deps.client.get(POD_MIGRATIONS, { namespace, name });
    return true;
  } catch (error) {
    if (error instanceof KubeError) return false;
    throw error;
  }
}

/** True when there is nothing left to do without the API. */
async function standsDown(run: MoveRun): Promise<boolean> {
  try {
    const seen = await observeWithoutApi(run);
    const committed = run.move.status.phase === "Committed";
    if (seen.source === "running" && !committed) return true; // stood down before
    const { action, why } = decide({ api: "away", committed, ending: "no", ...seen });
    if (action === "stand down") return await standDown(run);
    if (action === "release") return await letGo(run);
    warn(run, `the API server is away: ${why}`);
    return false;
  } catch (error) {
    if (error instanceof SupersededError) return true;
    throw error;
  }
}

async function standDown(run: MoveRun): Promise<boolean> {
  const { driver } = run.deps;
  const id = { moveUID: run.move.metadata.uid, epoch: run.term.epoch };
  const aborted = await attempt(driver.abort(targetOf(run.move).node, id));
  if (!aborted.ok) {
    warn(run, `the API server is away, and the copy is not ruled out: ${inWords(aborted.failure)}`);
    return false;
  }
  const { node, container } = sourceOf(run.move);
  const resumed = await attempt(driver.resume(node, id, container));
  const gone = !resumed.ok && resumed.failure.reason === "SourceGone";
  if (!resumed.ok && !gone)
    warn(run, `the API server is away, and the source is not resumed: ${inWords(resumed.failure)}`);
  else warn(run, "the API server is away: the copy was given up, and the source goes on");
  return resumed.ok || gone;
}

/** The commit is on record: a later leader asks for the same release and gets the same answer. */
async function letGo(run: MoveRun): Promise<boolean> {
  const { node, podUID } = targetOf(run.move);
  const id = { moveUID: run.move.metadata.uid, epoch: run.term.epoch };
  const released = await attempt(run.deps.driver.release(node, id, { podUID }));
  if (released.ok) warn(run, "the API server is away: the committed copy was released without it");
  else warn(run, `the API server is away, and the copy is not released: ${inWords(released.failure)}`);
  return released.ok;
}

function warn({ deps, move }: MoveRun, message: string): void {
  deps.logger.warn(message, { move: `${move.metadata.namespace}/${move.metadata.name}` });
}
