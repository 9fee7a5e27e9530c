/** How long the pod was frozen. Pure. */
import type { Resumed } from "../../agent/protocol.ts";
import type { PodMigrationStatus } from "../../api/v1alpha1/pod-migration.ts";
import type { StatusChanges } from "./outcome.ts";
import type { Move } from "./run.ts";
import { enteredAtMs, timeText } from "./status.ts";

/**
 * Milliseconds between the source's last instruction and the next one, the copy's or its own. Each node tells the time by its own
 * clock; when these disagree so far that the figure is impossible, the controller's own clock gives an upper bound.
 */
export function freezeMs(move: Pick<Move, "status">, endedAtMs: number, nowMs: number): number {
  const { frozenAt } = move.status;
  const begunMs = enteredAtMs(move.status, "Frozen") ?? nowMs;
  const boundMs = Math.max(0, nowMs - begunMs);
  const measuredMs = frozenAt === undefined ? boundMs : endedAtMs - Date.parse(frozenAt);
  return Math.round(measuredMs >= 0 && measuredMs <= boundMs ? measuredMs : boundMs);
}

/** What is recorded of a source that goes on; nothing when it was never frozen. */
export function freezeOfSource({ status }: Move, { freeze }: Resumed, nowMs: number): StatusChanges {
  if (freeze === undefined) return {};
  const frozenAt = timeText(freeze.frozenAtMs);
  return { frozenAt, freezeMilliseconds: freezeMs({ status: { ...status, frozenAt } }, freeze.resumedAtMs, nowMs) };
}

/** Appended to what a move came to: ", frozen for 0.62 s"; empty when its pod was never frozen, or still is. */
export function frozenFor({ freezeMilliseconds }: Pick<PodMigrationStatus, "freezeMilliseconds">): string {
  return freezeMilliseconds === undefined ? "" : `, frozen for ${freezeMilliseconds / 1000} s`;
}
