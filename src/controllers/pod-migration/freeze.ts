/** How long the pod was frozen. Pure. */
import type { Move } from "./run.ts";
import { enteredAtMs } from "./status.ts";

/**
 * Milliseconds between the source's last instruction and the copy's first. Each is told by its own node's clock; when these
 * disagree so far that the figure is impossible, the controller's own clock gives an upper bound.
 */
export function freezeMs(move: Move, releasedAtMs: number, nowMs: number): number {
  const { frozenAt } = move.status;
  const begunMs = enteredAtMs(move.status, "Frozen") ?? nowMs;
  const boundMs = Math.max(0, nowMs - begunMs);
  const measuredMs = frozenAt === undefined ? boundMs : releasedAtMs - Date.parse(frozenAt);
  return Math.round(measuredMs >= 0 && measuredMs <= boundMs ? measuredMs : boundMs);
}
