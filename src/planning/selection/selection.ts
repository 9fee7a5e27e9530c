/** Selection: which of the eligible pods are moved to relieve a node. */
import type { CostSettings, WeighedCost } from "../cost/weighed-cost.ts";
import type { PodSnapshot } from "../snapshot.ts";

/** An eligible pod for which a target with room exists. */
export interface Candidate {
  pod: PodSnapshot;
  /** Fresh and plausible. */
  bytes: number;
  /** Undefined: not known. */
  growthBytesPerMinute: number | undefined;
  /** What its node is relieved of by its move: what is foreseen of it where the policy forecasts, else `bytes`. */
  reliefBytes: number;
  /** What it may have grown to when it is moved at the latest; not less than `bytes`. A move's duration goes by it. */
  grownBytes: number;
  /** Where the policy weighs moves against each other. */
  cost?: WeighedCost;
}

/** The pressured node, before anything is moved. */
export interface SourceNode {
  freeBytes: number;
  /** Its part of a joint plan, where there is one. */
  share?: JointShare;
}

/** What the plan of all short nodes together says of one of them. */
export interface JointShare {
  /** The pods to move, by UID, with the node that is kept for each; undefined: any that placement prefers. */
  chosen: ReadonlyMap<string, string | undefined>;
  /** They relieve the node. */
  relieved: boolean;
  /** As many moves are planned as its policy may start within the hour. */
  movesSpent: boolean;
}

/**
 * The pods to move, in this order. Candidates come in a fixed order (biggest first, then by namespace, name and UID), so that
 * ties are broken the same way everywhere. An empty answer is a valid one. Asked again with what is left and still missing
 * when some of the pods had no place.
 */
export interface SelectionFunction {
  (candidates: readonly Candidate[], amountBytes: number, source: SourceNode): Candidate[];
  /** Present: moves are weighed, and all short nodes of such policies are planned together. */
  readonly weighing?: CostSettings;
}
