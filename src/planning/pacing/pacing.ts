/** Pacing: how many moves at once, and how soon again. It counts everyone's moves, those written by hand too. */
import { FINAL_PHASES } from "../../api/v1alpha1/pod-migration.ts";
import type { MoveCosts } from "../cost/move-costs.ts";
import type { Reason } from "../decision.ts";
import type { MoveSnapshot } from "../snapshot.ts";

export interface PacingInput {
  nowMs: number;
  /** On record: under way and past. */
  moves: readonly MoveSnapshot[];
  /** Moves that other policies start in this evaluation. */
  planned: number;
  /** What moves take; absent: what is known before any was measured. */
  costs?: MoveCosts;
}

/** What may start now. Absent limits: none. */
export interface PacingLimits {
  /** So many moves of this policy. */
  mostMoves?: number;
  /** So many moves at once from a node, and as many to a node; those under way count. */
  mostPerNode?: number;
  /** Nothing starts so soon after a move's end. */
  pauseSeconds?: number;
}

export type PacingAnswer = ({ ok: true } & PacingLimits) | ({ ok: false } & Reason);
/** Whether this policy may start moves in this evaluation, and how many. */
export type PacingFunction = (input: PacingInput) => PacingAnswer;

export function isUnderWay(move: MoveSnapshot): boolean {
  return !FINAL_PHASES.has(move.phase);
}
