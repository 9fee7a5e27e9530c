/**
 * The PodMigration reconciler: reads the move, takes its phase's step, records what came of it, and goes straight on
 * through the phases until there is something to wait for. Every step may be repeated after a crash at any point.
 */
import { FINAL_PHASES, type Phase, POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError, type ObjectRef } from "../../kube/client.ts";
import type { ReconcileResult, Term } from "../../kube/controller.ts";
import { impatient } from "./decision/impatient-client.ts";
import { settle } from "./decision/settle.ts";
import { waitForApi } from "./decision/stand-down.ts";
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
import { isMove, type Move, type MoveRun, type Scratch } from "./run.ts";
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

export async function reconcileMove(deps: MoveDependencies, key: ObjectRef, term: Term): Promise<ReconcileResult> {
  const scratch: Scratch = {};
  try {
    return await runThrough(deps, key, term, scratch);
  } catch (error) {
    const { last, away } = scratch;
    if (last && FROZEN.has(last.status.phase) && error instanceof KubeError && error.transient) {
      const run = { deps: { ...deps, client: impatient(deps.client, deps.clock) }, term, move: last, scratch };
      await waitForApi(run, away ?? { sinceMs: deps.clock.monotonicMs() });
    }
    if (error instanceof SupersededError) deps.logger.warn("another controller leads now", { error: error.message });
    else if (!(error instanceof KubeError && passing(error))) throw error;
    else deps.logger.warn("move interrupted, going on shortly", { ...key, error: error.message });
    return { requeueAfterMs: RETRY_MS };
  }
}

/** Also when an object vanished between two calls: the next look sees what is there. */
function passing(error: KubeError): boolean {
  return error.transient || error.reason === "NotFound";
}

async function runThrough(
  deps: MoveDependencies,
  key: ObjectRef,
  term: Term,
  scratch: Scratch,
): Promise<ReconcileResult> {
  let move = await read(deps, key);
  for (let step = 0; move !== undefined && step < STEP_LIMIT; step++) {
    if (term.signal.aborted) return {};
    if (FINAL_PHASES.has(move.status.phase)) {
      const left = await unprotect(deps, move);
      return left === undefined ? {} : watchProgram({ deps, term, move: left, scratch });
    }
    scratch.last = move;
    delete scratch.away; // it has just answered
    const frozen = FROZEN.has(move.status.phase);
    const own = frozen ? { ...deps, client: impatient(deps.client, deps.clock) } : deps;
    const outcome = await takeStep({ deps: own, term, move, scratch });
    // What came of a step that the term's end cut short says nothing about the move.
    if (term.signal.aborted) return {};
    move = outcome.kind === "reread" ? await read(own, key) : await recordOrReread(own, move, outcome);
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
async function recordOrReread(deps: MoveDependencies, move: Move, outcome: Outcome): Promise<Move | undefined> {
  try {
    return await record(deps, move, outcome);
  } catch (error) {
    if (error instanceof KubeError && error.reason === "NotFound") return undefined;
    if (!(error instanceof KubeError && error.transient)) throw error;
    return read(deps, { namespace: move.metadata.namespace, name: move.metadata.name });
  }
}
