/**
 * What a move stages on its target: the copy that is there beside the restored pod until the move ends. Plans, their reservations,
 * preflight and what the target's agent is asked to receive all go by this, so that none of them admits what the next refuses.
 */

/** CRIU's other images. */
const OTHER_IMAGES_BYTES = 64 * 2 ** 20;
/** What the pod still grows by before its freeze. */
const GROWTH = 1.1;

export interface MoveSize {
  memoryBytes: number;
  /** The pod's writable layer, emptyDirs and deleted files that it has open. Only its node's agent knows them: a plan takes them for 0. */
  filesBytes: number;
  /** Of all of its processes; absent: not known. */
  threads?: number;
}

/** What of a move is staged in its target's memory. Other files land on the target's disk. */
export interface StagedSize {
  memoryBytes: number;
  /** The pod's memory-backed emptyDirs: a part of its files. */
  memoryFilesBytes: number;
}

/** The most that the move may stage on its target, bytes. */
export function stagingBytes({ memoryBytes, memoryFilesBytes }: StagedSize): number {
  return Math.ceil((memoryBytes + memoryFilesBytes) * GROWTH) + OTHER_IMAGES_BYTES;
}
