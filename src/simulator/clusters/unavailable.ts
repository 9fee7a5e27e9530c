/** A node that takes no new pods has the taint that Kubernetes itself gives it. */
import type { Taint } from "../../planning/snapshot.ts";

export const CORDONED: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
export const NOT_READY: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

/** It keeps new pods away, and what already ran there stays. */
export function sparesItsPods({ key, effect }: Taint): boolean {
  return effect === "NoSchedule" && (key === CORDONED.key || key === NOT_READY.key);
}
