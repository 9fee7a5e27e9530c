/**
 * How long a move takes: a fixed part and a time for each byte, learnt from this cluster's own finished moves, for a pair of nodes where
 * enough of them were between these two. Seconds and bytes.
 *
 * Robust: the rate is the median of the slopes between all pairs of moves, the fixed part the median of what the rate leaves over
 * (Theil–Sen), so a few moves that stalled do not count. Cautious: what was known before weighs as much as three moves, for the
 * cluster the predecessor's 3.3506 s per GB, for a pair of nodes the cluster. The order of the moves never matters.
 */
import { at } from "../forecast/history.ts";
import { medianOf, selectRank } from "../forecast/order-statistics.ts";
import { lazily } from "../lazily.ts";
import type { MoveSnapshot } from "../snapshot.ts";

/** A line, and how far beyond it a move may plausibly end. */
export interface MoveCost {
  fixedSeconds: number;
  secondsPerByte: number;
  /** Nine of ten moves took at most this much longer than the line says. Not negative. */
  marginSeconds: number;
  /** Moves that it was learnt from. */
  moves: number;
}

/** What a move is expected to take. `basis`: where that is known from. */
export interface ExpectedMove {
  seconds: number;
  /** With the margin: what to plan with when there is a deadline. */
  atMostSeconds: number;
  basis: "Prior" | "Cluster" | "NodePair";
}

export interface MoveCosts {
  expect(move: { bytes: number; from: string; to: string }): ExpectedMove;
  cluster: MoveCost;
}

/** As the predecessor predicted every move, measured on its cluster: 3.3506 s per GB. The margin is a guess: schedule, image, network. */
export const PRIOR_COST: MoveCost = { fixedSeconds: 0, secondsPerByte: 3.3506e-9, marginSeconds: 30, moves: 0 };

/** The newest moves are learnt from: of the cluster, and of one pair of nodes. */
const MAX_MOVES = 100;
const MAX_MOVES_OF_PAIR = 30;
/** Fewer between two nodes tell nothing that the cluster's do not. */
const MIN_MOVES_OF_PAIR = 5;
/** As many moves as what was known before counts for. */
const PRIOR_WEIGHT = 3;
const MARGIN_QUANTILE = 0.9;
/** A move of more was not one of memory; there is no such timeout. */
const LONGEST_SECONDS = 86_400;

interface Finished {
  bytes: number;
  seconds: number;
  finishedAtMs: number;
  from: string;
  to: string;
}

/** Succeeded moves with plausible times teach; others are passed over. What nobody asks for is not worked out. */
export function learnMoveCosts(moves: readonly MoveSnapshot[]): MoveCosts {
  const finished = lazily(() => moves.flatMap(finishedMove).sort(newestFirst));
  const cluster = lazily(() => learn(finished().slice(0, MAX_MOVES), PRIOR_COST));
  const between = lazily(() => groupByPair(finished()));
  const pairs = new Map<string, MoveCost | undefined>();
  const pairCost = (pair: string) => {
    if (!pairs.has(pair)) pairs.set(pair, learnPair(between().get(pair) ?? [], cluster));
    return pairs.get(pair);
  };
  return {
    get cluster() {
      return cluster();
    },
    expect({ bytes, from, to }) {
      const pair = pairCost(pairOf(from, to));
      const cost = pair ?? cluster();
      const seconds = cost.fixedSeconds + cost.secondsPerByte * plausibleBytes(bytes);
      const basis = pair !== undefined ? "NodePair" : cost.moves > 0 ? "Cluster" : "Prior";
      return { seconds, atMostSeconds: seconds + cost.marginSeconds, basis };
    },
  };
}

function learnPair(between: readonly Finished[], cluster: () => MoveCost): MoveCost | undefined {
  return between.length < MIN_MOVES_OF_PAIR ? undefined : learn(between.slice(0, MAX_MOVES_OF_PAIR), cluster());
}

function finishedMove(move: MoveSnapshot): Finished[] {
  const { phase, memoryBytes, startedAtMs, finishedAtMs, from, to } = move;
  if (phase !== "Succeeded" || startedAtMs === undefined || finishedAtMs === undefined || to === undefined) return [];
  const seconds = (finishedAtMs - startedAtMs) / 1000;
  const plausible =
    memoryBytes > 0 && memoryBytes < Number.MAX_SAFE_INTEGER && seconds > 0 && seconds < LONGEST_SECONDS;
  return plausible ? [{ bytes: memoryBytes, seconds, finishedAtMs, from, to }] : [];
}

/** A total order on all that is learnt from, so that equal sets of moves give equal results. */
function newestFirst(a: Finished, b: Finished): number {
  return b.finishedAtMs - a.finishedAtMs || a.bytes - b.bytes || a.seconds - b.seconds;
}

const pairOf = (from: string, to: string) => `${from} ${to}`; // no node's name has a space

function groupByPair(finished: readonly Finished[]): Map<string, Finished[]> {
  return Map.groupBy(finished, ({ from, to }) => pairOf(from, to));
}

function plausibleBytes(bytes: number): number {
  return bytes >= 0 ? Math.min(bytes, Number.MAX_SAFE_INTEGER) : 0;
}

function learn(moves: readonly Finished[], known: MoveCost): MoveCost {
  if (moves.length === 0) return known;
  const line = lineThrough(moves, known);
  const over = Float64Array.from(moves, (move) =>
    Math.max(0, move.seconds - line.fixedSeconds - line.secondsPerByte * move.bytes),
  );
  return { ...line, marginSeconds: marginOf(over, known.marginSeconds), moves: moves.length };
}

/**
 * Moves that are all of about one size say nothing about the rate but what it is at most: when even without a fixed part they were faster
 * than the rate known before, the rate is theirs.
 */
function lineThrough(moves: readonly Finished[], known: MoveCost): { fixedSeconds: number; secondsPerByte: number } {
  const secondsPerByte = Math.max(0, medianWith(slopes(moves), known.secondsPerByte));
  const rest = moves.map((move) => move.seconds - secondsPerByte * move.bytes);
  const fixedSeconds = medianWith(rest, known.fixedSeconds);
  if (fixedSeconds >= 0) return { fixedSeconds, secondsPerByte };
  const rates = moves.map((move) => move.seconds / move.bytes);
  return { fixedSeconds: 0, secondsPerByte: medianWith(rates, secondsPerByte) };
}

/** Of moves that differ enough in size: others' slopes are noise. */
function slopes(moves: readonly Finished[]): Float64Array {
  const bytes = Float64Array.from(moves, (move) => move.bytes);
  const seconds = Float64Array.from(moves, (move) => move.seconds);
  const found = new Float64Array((moves.length * (moves.length - 1)) / 2);
  let count = 0;
  for (let a = 0; a < bytes.length; a++) {
    for (let b = a + 1; b < bytes.length; b++) {
      const difference = at(bytes, b) - at(bytes, a);
      if (Math.abs(difference) < 0.1 * Math.max(at(bytes, a), at(bytes, b))) continue;
      found[count++] = (at(seconds, b) - at(seconds, a)) / difference;
    }
  }
  return found.subarray(0, count);
}

/** The median of the values and of {@link PRIOR_WEIGHT} times the one known before. */
function medianWith(values: ArrayLike<number>, known: number): number {
  const all = withPrior(values, known);
  return medianOf(all, all.length);
}

/** The margin known before counts as {@link PRIOR_WEIGHT} moves that took so much longer. */
function marginOf(over: Float64Array, known: number): number {
  const all = withPrior(over, known);
  return selectRank(all, all.length, Math.min(all.length - 1, Math.ceil(MARGIN_QUANTILE * all.length) - 1));
}

function withPrior(values: ArrayLike<number>, known: number): Float64Array {
  const all = new Float64Array(values.length + PRIOR_WEIGHT).fill(known);
  all.set(values);
  return all;
}
