/** What an evaluation says: the moves, the gates, and the reasons for and against each. */
import type { PlanningMemory } from "./snapshot.ts";

/** `Moves`: at least one is due now; `NodesFull`: pods should move and no node has room; `Waiting`: later. */
export type Outcome = "Moves" | "NodesFull" | "Waiting" | "NothingToDo";

/** A stable CamelCase reason and a sentence. */
export interface Reason {
  reason: string;
  message: string;
}

export interface PlannedMove extends Reason {
  namespace: string;
  pod: string;
  podUID: string;
  lineage: string;
  from: string;
  to: string;
  /** The pod's memory. */
  bytes: number;
  policy: string;
  /** When it is to start: now, or later where a forecast leaves time; until then it is decided anew each time. */
  startAtMs: number;
  /** Predicted, from its start to its end. */
  expectedSeconds: number;
}

/** To be started by whoever carries the decision out; the others are told, and decided anew. */
export function isDue(move: Pick<PlannedMove, "startAtMs">, nowMs: number): boolean {
  return move.startAtMs <= nowMs;
}

/** What a policy found on a node. */
export interface NodeFinding extends Reason {
  name: string;
  policy: string;
  capacityBytes: number;
  /** Undefined: no figure that could be used. */
  freeBytes: number | undefined;
  /** What the node must free; 0: nothing. */
  pressureBytes: number;
  /** When nothing is free any more if its memory goes on growing as it does; undefined: not foreseen. */
  exhaustedAtMs?: number;
  /** When less than freeBelow may be free at the earliest: by then moves must have ended. Only where it is forecast. */
  deadlineMs?: number;
  /** What it uses at most at the policy's horizon, with the policy's confidence. Only where a forecast had to be made. */
  bound?: { atMs: number; bytes: number };
  outcome: Outcome;
}

/** The scheduling gate of a node that is closed, or was opened by this evaluation. */
export interface GateDecision extends Reason {
  node: string;
  policy: string;
  closed: boolean;
}

/** Something that was considered and passed over. Without `pod`: for any pod; without `node`: for any node. */
export interface Refusal extends Reason {
  policy: string;
  /** The pressured node that this is about. */
  from?: string;
  namespace?: string;
  pod?: string;
  node?: string;
}

/** A policy's share in the decision. */
export interface PolicyFinding {
  policy: string;
  outcome: Outcome;
  /** Nodes that it watches, and those of them that are short. */
  nodes: number;
  pressured: number;
  /** Pods that it may move. */
  pods: number;
  /** Pods that it selects, but that belong to another policy; and which policies those are. */
  overlapping: number;
  overlappingWith: string[];
  /** Watched nodes without a figure that could be used. */
  nodesWithoutFigures: number;
}

export interface Decision {
  timeMs: number;
  outcome: Outcome;
  /** In the order in which they would start. */
  moves: PlannedMove[];
  /** One for each node and policy that watches it, by policy, the most pressed first. */
  nodes: NodeFinding[];
  gates: GateDecision[];
  refusals: Refusal[];
  /** Refusals beyond the bound of {@link MAX_REFUSALS}. */
  refusalsLeftOut: number;
  policies: PolicyFinding[];
}

export interface Evaluation {
  decision: Decision;
  memory: PlanningMemory;
}

/** A decision keeps no more refusals than this: enough to explain it, and bounded in any cluster. */
export const MAX_REFUSALS = 2000;

const RANK: readonly Outcome[] = ["Moves", "NodesFull", "Waiting", "NothingToDo"];

/** The outcome of a whole: the foremost of its parts. */
export function foremost(outcomes: Iterable<Outcome>): Outcome {
  const present = new Set(outcomes);
  return RANK.find((outcome) => present.has(outcome)) ?? "NothingToDo";
}
