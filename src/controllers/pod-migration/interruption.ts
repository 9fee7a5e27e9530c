/** Why a move should end before its commit although nothing went wrong: cancelled, deleted, or out of time. Pure. */

import { admitted, parseDuration } from "../../api/quantity.ts";
import type { Phase } from "../../api/v1alpha1/pod-migration.ts";
import type { Refusal } from "./dependencies.ts";
import type { Move } from "./run.ts";
import { enteredAtMs } from "./status.ts";

/** Reasons that end in Cancelled; all others end in Failed or RolledBack. */
export const WITHDRAWN: ReadonlySet<string> = new Set(["Cancelled", "Deleted"]);

/** Milliseconds that a phase may take. Frozen and Restoring get three times the expected freeze in addition. */
const PHASE_LIMIT_MS: Partial<Record<Phase, number>> = {
  Pending: 60_000,
  Preflight: 60_000,
  Preparing: 300_000,
  Frozen: 60_000,
  Restoring: 30_000,
};

/**
 * @param sourceIntact else only `spec.timeout` counts: the limits of the phases are there so that a source that could go on does not
 *   stand frozen for nothing.
 */
export function interruption(move: Move, nowMs: number, sourceIntact = true): Refusal | undefined {
  if (move.metadata.deletionTimestamp !== undefined) {
    return { reason: "Deleted", message: "the PodMigration was deleted before its commit" };
  }
  // `headroom check` sets cancel too: a controller of an older version, which ignores dryRun, then moves nothing.
  if (move.spec.cancel && !move.spec.dryRun)
    return { reason: "Cancelled", message: "spec.cancel was set before the commit" };
  return moveTimeout(move, nowMs) ?? (sourceIntact ? phaseTimeout(move, nowMs) : undefined);
}

function moveTimeout(move: Move, nowMs: number): Refusal | undefined {
  const startedAtMs = move.status.startTime === undefined ? nowMs : Date.parse(move.status.startTime);
  const limitMs = admitted(parseDuration, move.spec.timeout) * 1000;
  if (nowMs - startedAtMs <= limitMs) return undefined;
  return { reason: "TimedOut", message: `not committed within spec.timeout (${move.spec.timeout})${lastWords(move)}` };
}

function phaseTimeout(move: Move, nowMs: number): Refusal | undefined {
  const { phase } = move.status;
  const limitMs = phaseLimitMs(move);
  const sinceMs = enteredAtMs(move.status, phase);
  if (limitMs === undefined || sinceMs === undefined || nowMs - sinceMs <= limitMs) return undefined;
  return { reason: `${phase}TimedOut`, message: `${phase} took more than ${limitMs / 1000} s${lastWords(move)}` };
}

function phaseLimitMs(move: Move): number | undefined {
  const base = PHASE_LIMIT_MS[move.status.phase];
  if (base === undefined) return undefined;
  const { phase, freeze, timings } = move.status;
  if (phase !== "Frozen" && phase !== "Restoring") return base;
  // Files that have landed are copied into the container while it is Restoring: that takes about as long as they took to come.
  const copyingMs = phase === "Restoring" ? 3 * (timings.files ?? 0) : 0;
  return base + 3 * (freeze?.expectedMilliseconds ?? 0) + copyingMs;
}

function lastWords(move: Move): string {
  return move.status.message === undefined ? "" : `; at last: ${move.status.message}`;
}
