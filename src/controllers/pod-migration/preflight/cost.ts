/**
 * How long a move freezes its pod: a fixed part and the bytes at a rate. Deliberately on the slow side: the figure is held
 * against what the pod's liveness probe forgives, and decides when a target pod is let go to its kubelet.
 */
import type { MoveSize } from "../../../planning/staging.ts";

/** Pause, CRIU's own start on both nodes, the commit and the release: 0.3–0.5 s measured for small pods. */
const FIXED_MS = 500;
/** Memory: 3.3506 s per GB, the rate at which moves were predicted before any were measured; measured ones are faster. */
const MEMORY_MS_PER_BYTE = 3350.6 / 1e9;
/** Writable layer and emptyDirs travel as archives of many small files: 10 s per GB. */
const FILES_MS_PER_BYTE = 10_000 / 1e9;

/** Milliseconds from the source's last instruction to the restored process's first. */
export function predictedFreezeMs(size: MoveSize): number {
  return FIXED_MS + size.memoryBytes * MEMORY_MS_PER_BYTE + size.filesBytes * FILES_MS_PER_BYTE;
}
