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
    const position = seed * count + index;
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
  const [least, most] = fault.seconds;
  const strike: PlannedStrike = {
    fault: fault.id,
    phase,
    delayMs: Math.round(random.next() * USUAL_LENGTHS[phase]),
    seconds: Math.round(10 * (least + (most - least) * random.next() ** 2)) / 10, // short ones more often
  };
  const possible = chains.filter(({ kind }) => fault.kinds?.includes(kind) ?? true).flatMap(({ moves }) => moves);
  const fewest = Math.min(...possible.map(({ strikes }) => strikes.length));
  const choices = possible.filter(({ strikes }) => strikes.length === fewest);
  choices[Math.floor(random.next() * choices.length)]?.strikes.push(strike);
}
