/** What becomes of a move is decided from these facts alone. */

/** The pod that is moved. */
export const SOURCES = [
  /** Its process runs: it was not frozen yet, or somebody thawed it. */
  "running",
  /** As it was frozen. */
  "frozen",
  /** Its kubelet may have started it cold after its frozen process had ended, and its agent cannot say that nothing of it runs. */
  "restarted",
  /** Its process has ended, and nothing of it starts again: evicted, killed for its memory, or its node has left the cluster. */
  "ended",
  /** A person or its owner has deleted its pod. */
  "deleted",
  /** Its pod is being deleted by an eviction, a preemption, a drain or a taint: not because its work is unwanted. */
  "disrupted",
  /** Its pod object was deleted by force while its node is ready. */
  "gone",
  /** Its node does not answer. */
  "silent",
] as const;
export type SourceState = (typeof SOURCES)[number];

/** The copy on the target. */
export const COPIES = [
  "none",
  /** Its `create` waits. */
  "waiting",
  /** Restored, before its first instruction. */
  "held",
  /** It was let go, and may have run since. */
  "released",
  /** It was restored and has died, or can never be restored any more; it was never released. */
  "dead",
  /** Its node does not answer, and its pod is still in the API. */
  "silent",
] as const;
export type CopyState = (typeof COPIES)[number];

/** The checkpoint on the target, memory and files. `gone`: it was there, and is not any more. */
export const IMAGES = ["none", "partial", "whole", "gone"] as const;
export type ImagesState = (typeof IMAGES)[number];

/** Should the move end? `asked`: it was cancelled or deleted. `failed`: a step has failed for good, or its time is up. */
export const ENDINGS = ["no", "asked", "failed"] as const;
export type Ending = (typeof ENDINGS)[number];

export interface Situation {
  /** `away`: the API server does not answer, or the lease could not be renewed. */
  api: "there" | "away";
  committed: boolean;
  ending: Ending;
  source: SourceState;
  copy: CopyState;
  images: ImagesState;
}
