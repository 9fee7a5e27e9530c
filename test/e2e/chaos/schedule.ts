/**
 * What a seed does: which workloads, which moves, which faults and in which phase of a move each strikes. Pure: the same seed and the same
 * faults give the same schedule, whatever the cluster makes of it.
 */
import { type Random, randomOf } from "../../../src/simulator/random.ts";

/** Of a move, in their order: those in which faults strike. */
export const PHASES = ["Preflight", "Preparing", "Frozen", "Restoring", "Committed"] as const;
export type Phase = (typeof PHASES)[number];

export type Kind = "Pod" | "Deployment" | "Job";
const KINDS: readonly Kind[] = ["Pod", "Deployment", "Job"];

/** What the schedule must know of a fault. */
export interface FaultFacts {
  id: string;
  /** In which it makes sense; absent: in all. */
  phases?: readonly Phase[];
  /** Whose pods it can happen to; absent: all. */
  kinds?: readonly Kind[];
  /** How long it stays until it is undone, at least and at most. */
  seconds: readonly [least: number, most: number];
}

export interface PlannedStrike {
  fault: string;
  phase: Phase;
  /** After the phase has begun. */
  delayMs: number;
  /** The controller that has just written the phase is held until so long after the strike; undefined: it is not. */
  holdMs: number | undefined;
  seconds: number;
}

export interface PlannedMove {
  by: "hand" | "policy";
  strikes: PlannedStrike[];
}

/** A workload, and its moves one after the other. */
export interface Chain {
  kind: Kind;
  startMiB: number;
  /** A readiness probe, and a liveness probe as they are by default: every 10 s, three times. */
  isProbed: boolean;
  /** Files stay open all the time; others are opened by their names. */
  keepsOpen: boolean;
  moves: PlannedMove[];
}

export interface Schedule {
  seed: number;
  chains: Chain[];
}

const CHAINS = 3;
const STRIKES_PER_MOVE = 2;
const [LEAST_MIB, MOST_MIB] = [16, 400];
const BY_POLICY_SHARE = 0.2;
/** In milliseconds, as moves of such pods take them: a strike falls into the first part of its phase. */
const USUAL_LENGTHS: Record<Phase, number> = {
  Preflight: 400,
  Preparing: 900,
  Frozen: 900,
  Restoring: 200,
  Committed: 2000,
};

/** How often the controller is held as it enters the phase: short ones are hardly hit otherwise, and what follows the commit is a matter of milliseconds. */
const HELD_SHARE: Record<Phase, number> = { Preflight: 0, Preparing: 0, Frozen: 0.3, Restoring: 0.7, Committed: 0.6 };
const MOST_HOLD_MS = 1500;
/** Longer than an ordinary liveness probe forgives. */
const LONG_SECONDS = 28;

export function scheduleOf(seed: number, moves: number, faults: readonly FaultFacts[]): Schedule {
  const random = randomOf(seed, "schedule");
  const chains = chainsFor(random, moves);
  for (const card of dealt(seed, moves * STRIKES_PER_MOVE, faults)) place(random, chains, card);
  return { seed, chains };
}

function chainsFor(random: Random, moves: number): Chain[] {
  const count = Math.min(CHAINS, moves);
  const first = Math.floor(random.next() * KINDS.length); // each kind has its turn
  return Array.from({ length: count }, (_, index) => ({
    kind: KINDS[(first + index) % KINDS.length] ?? "Pod",
    startMiB: Math.round(LEAST_MIB * (MOST_MIB / LEAST_MIB) ** random.next()), // small and big ones alike
    isProbed: random.next() < 0.5,
    keepsOpen: random.next() < 0.5,
    moves: Array.from({ length: Math.floor((moves + count - 1 - index) / count) }, (_move, position) => ({
      // The first figures of a pod take a while to come.
      by: position > 0 && random.next() < BY_POLICY_SHARE ? "policy" : "hand",
      strikes: [],
    })),
  }));
}

interface Card {
  fault: FaultFacts;
  phase: Phase;
}

/**
 * The seed's share of all pairs of fault and phase: successive seeds go through a shuffled deck of them, then through the next, so that
 * every pair has had its turn as often as the others, give or take one.
 */
function dealt(seed: number, count: number, faults: readonly FaultFacts[]): Card[] {
  const cards = faults.flatMap((fault) => (fault.phases ?? PHASES).map((phase) => ({ fault, phase })));
  if (cards.length === 0) return [];
  const decks = new Map<number, Card[]>();
  return Array.from({ length: count }, (_, index) => {
    const position = (seed - 1) * count + index;
    const lap = Math.floor(position / cards.length);
    const deck = decks.get(lap) ?? shuffled(randomOf(lap, "deck"), cards);
    decks.set(lap, deck);
    return deck[position % cards.length] as Card;
  });
}

function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const order = values.map((value) => ({ value, at: random.next() }));
  return order.sort((a, b) => a.at - b.at).map(({ value }) => value);
}

/** On a move of those it can happen to that has the fewest; nowhere when there is none. */
function place(random: Random, chains: readonly Chain[], { fault, phase }: Card): void {
  const possible = chains.filter(({ kind }) => fault.kinds?.includes(kind) ?? true);
  const moves = possible.flatMap((chain) => chain.moves.map((move) => ({ chain, move })));
  const fewest = Math.min(...moves.map(({ move }) => move.strikes.length));
  const choices = moves.filter(({ move }) => move.strikes.length === fewest);
  const choice = choices[Math.floor(random.next() * choices.length)];
  const isHeld = random.next() < HELD_SHARE[phase];
  const strike: PlannedStrike = {
    fault: fault.id,
    phase,
    delayMs: Math.round(random.next() * USUAL_LENGTHS[phase]),
    holdMs: isHeld ? Math.round(random.next() * MOST_HOLD_MS) : undefined,
    seconds: secondsOf(random, fault, phase, choice?.chain.isProbed ?? false),
  };
  choice?.move.strikes.push(strike);
}

/** Short ones more often; but while a pod with probes is frozen, half of them are as long as its probe does not forgive. */
function secondsOf(random: Random, { seconds: [least, most] }: FaultFacts, phase: Phase, isProbed: boolean): number {
  const isFrozen = phase === "Frozen" || phase === "Restoring";
  const isLong = random.next() < 0.5 && isProbed && isFrozen && most > LONG_SECONDS;
  const from = isLong ? LONG_SECONDS : least;
  return Math.round(10 * (from + (most - from) * random.next() ** 2)) / 10;
}
