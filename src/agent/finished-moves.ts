/** Moves that were cleaned up here: so that a command of theirs that comes late is not taken for that of a new one. Bounded. */
import { z } from "zod";
import { moveRecordSchema } from "./protocol.ts";

export const finishedMoveSchema = z.object({
  moveUID: z.string(),
  role: moveRecordSchema.shape.role,
  /** Where its record was when it was removed; absent when there was none. */
  state: moveRecordSchema.shape.state.optional(),
  /** Answers of the steps that were done, by step name. */
  results: z.record(z.string(), z.unknown()),
  /** When it was cleaned up, epoch milliseconds. */
  atMs: z.number(),
});
export type FinishedMove = z.infer<typeof finishedMoveSchema>;

/** A controller repeats a command for ten minutes at most; one that was held up on the way may come later still. */
const KEPT_MS = 3_600_000;
/** A few hundred bytes each. */
const KEPT = 1_000;

export class FinishedMoves {
  #moves: FinishedMove[];

  /** @param moves the oldest first. */
  constructor(moves: FinishedMove[] = []) {
    this.#moves = moves;
  }

  /** The oldest first. */
  list(): FinishedMove[] {
    return this.#moves;
  }

  get(moveUID: string, role: FinishedMove["role"]): FinishedMove | undefined {
    return this.#moves.findLast((move) => move.moveUID === moveUID && move.role === role);
  }

  /** An end that is known already stays when the move is cleaned up once more; what is old, or one too many, is forgotten. */
  add(move: FinishedMove): void {
    const known = this.get(move.moveUID, move.role);
    const end = move.state === undefined && known ? { ...known, atMs: move.atMs } : move;
    const others = this.#moves.filter((one) => one !== known && move.atMs - one.atMs <= KEPT_MS);
    this.#moves = [...others, end].slice(-KEPT);
  }
}
