/** How long moves take. */
import { compareText } from "./order.ts";
import type { MoveSnapshot } from "./snapshot.ts";

/**
 * How long a move takes, as far as nobody has measured it: the predecessor's 3.3506 s for each gigabyte (10⁹ bytes), rounded
 * up to whole seconds.
 */
const SECONDS_PER_GIGABYTE = 3.3506;

export function predictedSeconds(bytes: number): number {
  return Math.ceil((SECONDS_PER_GIGABYTE * bytes) / 1e9);
}

/** When the last of these moves ends, if each waits for the one before: finish = max(last finish, start) + duration. */
export function expectedFinishMs(moves: readonly MoveSnapshot[], nowMs: number): number {
  const startMs = (move: MoveSnapshot) => Math.min(move.startedAtMs ?? nowMs, nowMs);
  const inTurn = moves.toSorted((a, b) => startMs(a) - startMs(b) || compareText(a.name, b.name));
  return inTurn.reduce(
    (lastMs, move) => Math.max(lastMs, startMs(move)) + predictedSeconds(Math.max(0, move.memoryBytes)) * 1000,
    Number.NEGATIVE_INFINITY,
  );
}
