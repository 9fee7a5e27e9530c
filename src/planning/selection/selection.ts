/** Selection: which of the eligible pods are moved to relieve a node. */
import type { PodSnapshot } from "../snapshot.ts";

/** An eligible pod for which a target with room exists. */
export interface Candidate {
  pod: PodSnapshot;
  /** Fresh and plausible. */
  bytes: number;
  /** Undefined: not known. */
  growthBytesPerMinute: number | undefined;
}

/** The pressured node, before anything is moved. */
export interface SourceNode {
  freeBytes: number;
}

/**
 * The pods to move, in this order. Candidates come in a fixed order (biggest first, then by namespace, name and UID), so that
 * ties are broken the same way everywhere. An empty answer is a valid one. Asked again with what is left and still missing
 * when some of the pods had no place.
 */
export type SelectionFunction = (
  candidates: readonly Candidate[],
  amountBytes: number,
  source: SourceNode,
) => Candidate[];
