/**
 * How long a move takes, from its start to its end: learnt from this cluster's own finished moves (./learnt-lines.ts). Before there are
 * any, the predecessor's 3.3506 s per GB.
 */
import type { MoveSnapshot } from "../snapshot.ts";
import { type Line, learnLines, type Observation, plausibleBytes } from "./learnt-lines.ts";

/** What a move is expected to take. `basis`: where that is known from. */
export interface ExpectedMove {
  seconds: number;
  /** With the margin: what to plan with when there is a deadline. */
  atMostSeconds: number;
  basis: "Prior" | "Cluster" | "NodePair";
}

export interface MoveCosts {
  expect(move: { bytes: number; from: string; to: string }): ExpectedMove;
  cluster: Line;
}

/** As the predecessor predicted every move, measured on its cluster: 3.3506 s per GB. The margin is a guess: schedule, image, network. */
export const PRIOR_COST: Line = {
  fixedSeconds: 0,
  secondsPerByte: 3.3506e-9,
  marginSeconds: 30,
  moves: 0,
  mostBytes: 0,
};

/** Succeeded moves with plausible times teach; others are passed over. */
export function learnMoveCosts(moves: readonly MoveSnapshot[]): MoveCosts {
  const lines = learnLines(() => moves.flatMap(finishedMove), PRIOR_COST);
  return {
    get cluster() {
      return lines.cluster;
    },
    expect({ bytes, from, to }) {
      const pair = lines.between(from, to);
      const cost = pair ?? lines.cluster;
      const seconds = cost.fixedSeconds + cost.secondsPerByte * plausibleBytes(bytes);
      const basis = pair !== undefined ? "NodePair" : cost.moves > 0 ? "Cluster" : "Prior";
      return { seconds, atMostSeconds: seconds + cost.marginSeconds, basis };
    },
  };
}

function finishedMove({ phase, memoryBytes, startedAtMs, finishedAtMs, from, to }: MoveSnapshot): Observation[] {
  if (phase !== "Succeeded" || startedAtMs === undefined || finishedAtMs === undefined || to === undefined) return [];
  return [{ bytes: memoryBytes, seconds: (finishedAtMs - startedAtMs) / 1000, finishedAtMs, from, to }];
}
