/**
 * What moving a pod costs, in seconds of freeze: the freeze foreseen × the pod's weight × 2 for each earlier move of its lineage, plus the
 * risk of losing its work. The freeze is learnt from moves on record as durations are (./move-costs.ts); so is the risk.
 */
import { MOVE_COST_ANNOTATION } from "../../api/v1alpha1/group.ts";
import { lazily } from "../lazily.ts";
import type { MoveSnapshot, PodSnapshot } from "../snapshot.ts";
import { learnMoveCosts } from "./move-costs.ts";

export interface WeighedCost {
  /** Not negative, finite. */
  seconds: number;
  /** How it comes about, for people. */
  text: string;
}

export interface CostSettings {
  /** What losing one GiB that ran for an hour counts as, in seconds of freeze. */
  lostWorkSeconds: number;
}

/** `bytes`: the pod's memory when it moves. */
export type Weigh = (pod: PodSnapshot, bytes: number, settings: CostSettings) => WeighedCost;

/** Before any move is on record, one of twenty is feared to lose its pod's work; that counts as twenty moves. */
const PRIOR_LOST = 1;
const PRIOR_MOVES = 20;
/** A pod whose start is not known counts as one that has run for a day; none as one that has for longer than a year. */
const UNKNOWN_HOURS = 24;
const MOST_HOURS = 366 * 24;
/** Beyond that a pod stays put anyway. */
const MOST_DOUBLINGS = 30;
const MOST_WEIGHT = 1_000_000;
const GIB = 2 ** 30;

export function weighMoves(moves: readonly MoveSnapshot[], nowMs: number): Weigh {
  const freezes = lazily(() => learnMoveCosts(moves.flatMap(asFreeze)));
  const risk = lazily(() => lossProbability(moves));
  return (pod, bytes, { lostWorkSeconds }) => {
    const freezeSeconds = freezes().expect({ bytes, from: pod.node, to: "" }).seconds;
    const { weight, note } = weightOf(pod);
    const doublings = doublingsOf(pod);
    const riskSeconds = risk() * hoursRun(pod, nowMs) * (bytes / GIB) * lostWorkSeconds;
    const seconds = freezeSeconds * weight * 2 ** doublings + riskSeconds;
    const times = `${weight === 1 ? "" : ` × weight ${weight}`}${doublings === 0 ? "" : ` × ${2 ** doublings} for earlier moves`}`;
    const parts = `${shown(freezeSeconds)} freeze${times} + ${shown(riskSeconds)} risk`;
    return { seconds, text: `${shown(seconds)} (${parts}${note})` };
  };
}

const shown = (seconds: number) => `${seconds < 100 ? seconds.toFixed(1) : Math.round(seconds)}s`;

/** The move as if it had been its freeze alone. */
function asFreeze(move: MoveSnapshot): MoveSnapshot[] {
  const { freezeMilliseconds, finishedAtMs } = move;
  if (freezeMilliseconds === undefined || finishedAtMs === undefined) return [];
  return [{ ...move, startedAtMs: finishedAtMs - freezeMilliseconds }];
}

/**
 * That a move loses its pod's memory. Moves that were refused, cancelled or rolled back lost nothing: the source went on. One that failed
 * when its pod had been frozen did.
 */
export function lossProbability(moves: readonly MoveSnapshot[]): number {
  const lost = moves.filter((move) => move.phase === "Failed" && wasFrozen(move));
  const frozen = moves.filter(({ phase }) => phase === "Succeeded" || phase === "RolledBack").length + lost.length;
  return (lost.length + PRIOR_LOST) / (frozen + PRIOR_MOVES);
}

/** What was sent is on record from the freeze on, how long it lasted from the release on. */
function wasFrozen({ freezeMilliseconds, transferredBytes }: MoveSnapshot): boolean {
  return freezeMilliseconds !== undefined || transferredBytes !== undefined;
}

function weightOf({ annotations }: PodSnapshot): { weight: number; note: string } {
  const written = annotations[MOVE_COST_ANNOTATION];
  if (written === undefined) return { weight: 1, note: "" };
  const weight = /^\d*\.?\d+$/.test(written) ? Number(written) : Number.NaN;
  if (weight > 0 && weight <= MOST_WEIGHT) return { weight, note: "" };
  const wanted = `no number above 0, at most ${MOST_WEIGHT}`;
  return { weight: 1, note: `; its annotation ${MOVE_COST_ANNOTATION} is ${wanted}, and counts as 1` };
}

function doublingsOf({ migrations }: PodSnapshot): number {
  return migrations > 0 ? Math.min(Math.floor(migrations), MOST_DOUBLINGS) : 0;
}

function hoursRun({ startedAtMs }: PodSnapshot, nowMs: number): number {
  const hours = startedAtMs === undefined ? UNKNOWN_HOURS : (nowMs - startedAtMs) / 3_600_000;
  return Number.isFinite(hours) ? Math.min(Math.max(0, hours), MOST_HOURS) : UNKNOWN_HOURS;
}
