/**
 * The PodMigration reconciler: reads the move, takes its phase's step, records what came of it, and goes straight on
 * through the phases until there is something to wait for. Every step may be repeated after a crash at any point.
 */
import { FINAL_PHASES, type Phase, POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError, type ObjectRef } from "../../kube/client.ts";
import type { ReconcileResult, Term } from "../../kube/controller.ts";
import { impatient } from "./decision/impatient-client.ts";
import { settle } from "./decision/settle.ts";
import { isAway, waitForApi } from "./decision/stand-down.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { SupersededError } from "./driver-failure.ts";
import { isProtected, unprotect } from "./finalizer.ts";
import { interruption, WITHDRAWN } from "./interruption.ts";
import { advance, type Outcome, rollBack } from "./outcome.ts";
import { committed } from "./phases/committed.ts";
import { frozen } from "./phases/frozen.ts";
import { pending } from "./phases/pending.ts";
import { preflight } from "./phases/preflight.ts";
import { preparing } from "./phases/preparing.ts";
import { restoring } from "./phases/restoring.ts";
import { rollingBack } from "./phases/rolling-back.ts";
import { watchProgram } from "./program-watch.ts";
import { record } from "./record.ts";
import { releaseOf } from "./release.ts";
import { isMove, type LastSeen, type Move, type MoveRun, type Scratch } from "./run.ts";
import { initialStatus } from "./status.ts";

type UnfinishedPhase = Exclude<Phase, "Succeeded" | "RolledBack" | "Failed" | "Cancelled">;

const STEPS: Record<UnfinishedPhase, (run: MoveRun) => Promise<Outcome>> = {
  Pending: pending,
  Preflight: preflight,
  Preparing: preparing,
  Frozen: frozen,
  Restoring: restoring,
  Committed: committed,
  RollingBack: rollingBack,
};

/** Before these nothing has been touched. */
const UNTOUCHED: ReadonlySet<Phase> = new Set(["Pending", "Preflight"]);
/** In these the source stands frozen, and the decision table says how the move may end. */
const FROZEN: ReadonlySet<Phase> = new Set(["Frozen", "Restoring"]);
/** From these on the way is decided: neither a cancellation nor a timeout has a say. */
const DECIDED: ReadonlySet<Phase> = new Set(["Committed", "RollingBack"]);

/** More steps than any move takes in one run: an endless loop is a defect and ends here. */
const STEP_LIMIT = 64;
/** A move may be frozen: after a passing error it is taken up again at once, without the queue's back-off. */
const RETRY_MS = 500;

/** @param seen of this move, kept over its runs. */
export async function reconcileMove(
  deps: MoveDependencies,
  key: ObjectRef,
  term: Term,
  seen: LastSeen = {},
): Promise<ReconcileResult> {
  const scratch: Scratch = {};
  try {
    const result = await runThrough(deps, key, term, scratch, seen);
    // The term may have ended because the API server is away: then the pod must not stay frozen for it.
    if (term.signal.aborted && waitsForNobody(seen.move)) await withoutApi(deps, term, scratch, seen);
    return result;
  } catch (error) {
    if (error instanceof SupersededError) {
      deps.logger.warn("another controller leads now", { error: error.message });
      return { requeueAfterMs: RETRY_MS };
    }
    const kept = waitsForNobody(seen.move);
    if (!(error instanceof KubeError && (passing(error) || kept))) throw error;
    if (kept && isAway(error)) await withoutApi(deps, term, scratch, seen);
    deps.logger.warn("move interrupted, going on shortly", { ...key, error: error.message });
    return { requeueAfterMs: RETRY_MS };
  }
}

/** Also when an object vanished between two calls: the next look sees what is there. */
function passing(error: KubeError): boolean {
  return error.transient || error.reason === "NotFound";
}

/** A process stands still, and the agents alone can let one go. */
function waitsForNobody(move: Move | undefined): boolean {
  if (move === undefined) return false;
  return FROZEN.has(move.status.phase) || (move.status.phase === "Committed" && releaseOf(move) === undefined);
}

async function withoutApi(deps: MoveDependencies, term: Term, scratch: Scratch, seen: LastSeen): Promise<void> {
  if (seen.move === undefined) return;
  const client = impatient(deps.client, deps.clock);
  const run = { deps: { ...deps, client }, term, move: seen.move, scratch };
  const since = seen.unwritten ?? scratch.away ?? { sinceMs: deps.clock.monotonicMs() };
  await waitForApi(run, since);
}

async function runThrough(
  deps: MoveDependencies,
  key: ObjectRef,
  term: Term,
  scratch: Scratch,
  seen: LastSeen,
): Promise<ReconcileResult> {
  const first = waitsForNobody(seen.move) ? impatient(deps.client, deps.clock) : deps.client;
  let move = await read({ ...deps, client: first }, key);
  for (let step = 0; move !== undefined && step < STEP_LIMIT; step++) {
    seen.move = move;
    if (term.signal.aborted) return {};
    if (FINAL_PHASES.has(move.status.phase)) {
      const left = await unprotect(deps, move);
      return left === undefined ? {} : watchProgram({ deps, term, move: left, scratch });
    }
    delete scratch.away; // it has just answered
    const own = waitsForNobody(move) ? { ...deps, client: impatient(deps.client, deps.clock) } : deps;
    const outcome = await takeStep({ deps: own, term, move, scratch });
    // What came of a step that the term's end cut short says nothing about the move.
    if (term.signal.aborted) return {};
    move = outcome.kind === "reread" ? await read(own, key) : await recordOrReread(own, move, outcome, seen);
    if (move !== undefined) seen.move = move;
    if (outcome.kind === "wait") return { requeueAfterMs: outcome.afterMs };
  }
  if (move === undefined) return {};
  throw new Error(`PodMigration ${key.namespace}/${key.name}: no end after ${STEP_LIMIT} steps`);
}

async function read(deps: MoveDependencies, key: ObjectRef): Promise<Move | undefined> {
  const found = await deps.client.get(POD_MIGRATIONS, key);
  return found === undefined || abandoned(found) ? undefined : begin(deps, found);
}

/** Deleted before the controller ever put its finalizer on, or after it took it off: nothing to do. */
function abandoned(migration: PodMigration): boolean {
  return migration.metadata.deletionTimestamp !== undefined && !isProtected(migration);
}

/** A cause that the policy has written stays. */
function begin(deps: MoveDependencies, found: PodMigration): Move {
  if (isMove(found)) return found;
  const migration = { ...found, status: { ...found.status, ...initialStatus(deps.clock.now()) } };
  if (isMove(migration)) return migration;
  throw new Error(`PodMigration ${found.metadata.name} has no uid or namespace`);
}

async function takeStep(run: MoveRun): Promise<Outcome> {
  const { phase } = run.move.status;
  const interrupted = DECIDED.has(phase) ? undefined : interruption(run.move, run.deps.clock.now());
  if (interrupted === undefined) return STEPS[unfinished(phase)](run);
  if (FROZEN.has(phase)) return settled(run);
  if (!UNTOUCHED.has(phase)) return rollBack(interrupted.reason, interrupted.message);
  return advance(WITHDRAWN.has(interrupted.reason) ? "Cancelled" : "Failed", interrupted.reason, interrupted.message);
}

/** A source that cannot go on gains nothing from a roll-back: then the move goes on all the same. */
async function settled(run: MoveRun): Promise<Outcome> {
  const outcome = await settle(run, {});
  return outcome.kind === "undecided" ? STEPS[unfinished(run.move.status.phase)](run) : outcome;
}

function unfinished(phase: Phase): UnfinishedPhase {
  if (phase in STEPS) return phase as UnfinishedPhase; // STEPS has exactly the unfinished phases
  throw new Error(`${phase} is final: it has no step`);
}

/** Somebody changed the object (a cancellation, a label): the step is decided anew on what is there now. */
async function recordOrReread(
  deps: MoveDependencies,
  move: Move,
  outcome: Outcome,
  seen: LastSeen,
): Promise<Move | undefined> {
  try {
    const written = await record(deps, move, outcome);
    if (written !== move) delete seen.unwritten; // else nothing had to be written
    return written;
  } catch (error) {
    if (error instanceof KubeError && error.reason === "NotFound") return undefined;
    if (isAway(error) && waitsForNobody(move)) {
      seen.unwritten ??= { sinceMs: deps.clock.monotonicMs() };
      throw error;
    }
    if (!(error instanceof KubeError && error.transient)) throw error;
    return read(deps, { namespace: move.metadata.namespace, name: move.metadata.name });
  }
}
