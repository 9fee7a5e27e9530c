/**
 * When the target pod is let go to its kubelet. The kubelet gives a container's start two minutes; a `create` that is held
 * longer fails. So a pod whose dump takes long stays behind its scheduling gate until the dump is almost done.
 */
import type { Move } from "./run.ts";

/** Predicted dumps up to this long fit into the kubelet's limit with room to spare. */
const SHORT_DUMP_MS = 60_000;
/** Scheduling, image, sandbox, network and volumes of a pod take about this long. */
export const POD_START_MS = 20_000;

/** True when the target must not start before the dump has begun. */
export function heldBackUntilDump(move: Move): boolean {
  return (move.status.freeze?.expectedMilliseconds ?? 0) > SHORT_DUMP_MS;
}
