/** Pods that the cluster ends for its own sake: evicted through the API, preempted, or driven off by a taint. */
import { type DeleteOptions, deleteObject } from "./deletion.ts";
import { type ApiObject, arrayAt, objectAt, stringAt } from "./json.ts";
import type { Address, Registry } from "./registry.ts";

export const DISRUPTION_TARGET = "DisruptionTarget";

export type Disruption = "EvictionByEvictionAPI" | "PreemptionByScheduler" | "DeletionByTaintManager";

/** The condition first, then the deletion, as Kubernetes does it. */
export function disrupt(registry: Registry, pod: Address, reason: Disruption, options: DeleteOptions = {}): void {
  const condition = { type: DISRUPTION_TARGET, status: "True", reason, lastTransitionTime: registry.time() };
  const change = (present: ApiObject): ApiObject => {
    const others = arrayAt(present, "status", "conditions").filter((c) => stringAt(c, "type") !== DISRUPTION_TARGET);
    return { ...present, status: { ...objectAt(present, "status"), conditions: [...others, condition] } };
  };
  if (!options.dryRun) registry.patch(pod, change, { subresource: "status" });
  deleteObject(registry, pod, options);
}
