/**
 * Lines through finished moves: a fixed part and a time for each byte, for the cluster and for a pair of nodes where enough moves were
 * between these two. Seconds and bytes.
 *
 * Robust: the rate is the median of the slopes between all pairs of moves, the fixed part the median of what the rate leaves over
 * (Theil–Sen), so a few moves that stalled do not count. Cautious: what was known before weighs as much as three moves; for a pair of
 * nodes that is the cluster's line. The order of the moves never matters.
 */
import { at } from "../forecast/history.ts";
import { medianOf, selectRank } from "../forecast/order-statistics.ts";
import { lazily } from "../lazily.ts";

/** A line, and how far beyond it a move may plausibly end. */
export interface Line {
  fixedSeconds: number;
  secondsPerByte: number;
  /** Nine of ten moves took at most this much longer than the line says. Not negative. */
  marginSeconds: number;
  /** Moves that it was learnt from. */
  moves: number;
  /** The biggest of them. */
  mostBytes: number;
}

/** What one move says. */
export interface Observation {
  bytes: number;
  seconds: number;
  finishedAtMs: number;
  from: string;
  to: string;
}

/** Each line is computed when it is first needed. */
export interface Lines {
  cluster: Line;
  /** Undefined: too few moves were between these two. */
  between(from: string, to: string): Line | undefined;
}

/** The newest moves are learnt from: of the cluster, and of one pair of nodes. */
const MAX_MOVES = 100;
const MAX_MOVES_OF_PAIR = 30;
/** Fewer between two nodes tell nothing that the cluster's do not. */
export const MIN_MOVES = 5;
/** As many moves as what was known before counts for. */
const PRIOR_WEIGHT = 3;
const MARGIN_QUANTILE = 0.9;
/** A move of more was not one of memory; there is no such timeout. */
const LONGEST_SECONDS = 86_400;

/** Observations that are not plausible are passed over. `known`: the line before any move. */
export function learnLines(observe: () => readonly Observation[], known: Line): Lines {
  const finished = lazily(() => observe().filter(isPlausible).sort(newestFirst));
  const cluster = lazily(() => learn(finished().slice(0, MAX_MOVES), known));
  const byPair = lazily(() => Map.groupBy(finished(), ({ from, to }) => pairOf(from, to)));
  const pairs = new Map<string, Line | undefined>();
  return {
    get cluster() {
      return cluster();
    },
    between(from, to) {
      const pair = pairOf(from, to);
      if (!pairs.has(pair)) pairs.set(pair, learnPair(byPair().get(pair) ?? [], cluster));
      return pairs.get(pair);
    },
  };
}

export function plausibleBytes(bytes: number): number {
  return bytes >= 0 ? Math.min(bytes, Number.MAX_SAFE_INTEGER) : 0;
}

function learnPair(between: readonly Observation[], cluster: () => Line): Line | undefined {
  return between.length < MIN_MOVES ? undefined : learn(between.slice(0, MAX_MOVES_OF_PAIR), cluster());
}

function isPlausible({ bytes, seconds }: Observation): boolean {
  return bytes > 0 && bytes < Number.MAX_SAFE_INTEGER && seconds > 0 && seconds < LONGEST_SECONDS;
}

/** A total order on all that is learnt from, so that equal sets of moves give equal results. */
function newestFirst(a: Observation, b: Observation): number {
  return b.finishedAtMs - a.finishedAtMs || a.bytes - b.bytes || a.seconds - b.seconds;
}

const pairOf = (from: string, to: string) => `${from} ${to}`; // no node's name has a space

function learn(moves: readonly Observation[], known: Line): Line {
  if (moves.length === 0) return known;
  const line = lineThrough(moves, known);
  const over = Float64Array.from(moves, (move) =>
    Math.max(0, move.seconds - line.fixedSeconds - line.secondsPerByte * move.bytes),
  );
  const mostBytes = moves.reduce((most, move) => Math.max(most, move.bytes), 0);
  return { ...line, marginSeconds: marginOf(over, known.marginSeconds), moves: moves.length, mostBytes };
}

/**
 * Moves that are all of about one size say nothing about the rate but what it is at most: when even without a fixed part they were faster
 * than the rate known before, the rate is theirs.
 */
function lineThrough(moves: readonly Observation[], known: Line): { fixedSeconds: number; secondsPerByte: number } {
  const secondsPerByte = Math.max(0, medianWith(slopes(moves), known.secondsPerByte));
  const rest = moves.map((move) => move.seconds - secondsPerByte * move.bytes);
  const fixedSeconds = medianWith(rest, known.fixedSeconds);
  if (fixedSeconds >= 0) return { fixedSeconds, secondsPerByte };
  const rates = moves.map((move) => move.seconds / move.bytes);
  return { fixedSeconds: 0, secondsPerByte: medianWith(rates, secondsPerByte) };
}

/** Of moves that differ enough in size: others' slopes are noise. */
function slopes(moves: readonly Observation[]): Float64Array {
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
export function medianWith(values: ArrayLike<number>, known: number): number {
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
