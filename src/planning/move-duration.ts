/** When moves that are under way end, by what moves take here (./cost/move-costs.ts). */
import { learnMoveCosts, type MoveCosts } from "./cost/move-costs.ts";
import { compareText } from "./order.ts";
import type { MoveSnapshot } from "./snapshot.ts";

const NOTHING_LEARNT = learnMoveCosts([]);

/** When the last of these moves ends, if each waits for the one before: finish = max(last finish, start) + duration. */
export function expectedFinishMs(
  moves: readonly MoveSnapshot[],
  nowMs: number,
  costs: Pick<MoveCosts, "expect"> = NOTHING_LEARNT,
): number {
  const startMs = (move: MoveSnapshot) => Math.min(move.startedAtMs ?? nowMs, nowMs);
  const inTurn = moves.toSorted((a, b) => startMs(a) - startMs(b) || compareText(a.name, b.name));
  return inTurn.reduce((lastMs, move) => {
    const { seconds } = costs.expect({ bytes: move.memoryBytes, from: move.from, to: move.to ?? "" });
    return Math.max(lastMs, startMs(move)) + Math.ceil(seconds) * 1000;
  }, Number.NEGATIVE_INFINITY);
}
