/** A policy's pacing, within the number of moves that may start in the cluster in an hour. */
import type { Policy } from "../policy.ts";
import type { MoveSnapshot } from "../snapshot.ts";
import { isUnderWay, type PacingAnswer, type PacingInput } from "./pacing.ts";

const HOUR_MS = 3_600_000;

/** Counts everyone's moves that are on record. */
export function withinTheHour({ pace, maxMovesPerHour }: Policy, input: PacingInput): PacingAnswer {
  const answer = pace(input);
  if (!answer.ok || maxMovesPerHour === undefined) return answer;
  const { nowMs, moves, planned } = input;
  const lately = ({ startedAtMs, finishedAtMs }: MoveSnapshot) =>
    nowMs - (startedAtMs ?? finishedAtMs ?? nowMs) < HOUR_MS;
  const started = moves.filter((move) => isUnderWay(move) || lately(move)).length;
  const left = maxMovesPerHour - started - planned;
  if (left < 1) {
    return { ok: false, reason: "MovesPerHour", message: `${started + planned} moves were started within an hour` };
  }
  return { ...answer, mostMoves: Math.min(left, answer.mostMoves ?? left) };
}
