/** What of a pod only planning asks for: whether it may be moved, and beside what. The rest of the simulation takes no notice of it. */

import type { SchedulingRules } from "../planning/scheduling-rules.ts";
import type { PodSnapshot } from "../planning/snapshot.ts";

export interface PlanningFacts extends SchedulingRules, Pick<PodSnapshot, "ownerKind" | "obstacle" | "terminating"> {
  /** Beside the one that every namespace has, see {@link namespaceLabelsOf}. */
  namespaceLabels?: Record<string, string>;
}

/** The label with the namespace's name is Kubernetes' own: selectors are written for it, and no file has to tell it. */
export function namespaceLabelsOf(pod: PlanningFacts & { namespace: string }): Record<string, string> {
  return { ...pod.namespaceLabels, "kubernetes.io/metadata.name": pod.namespace };
}

/** These alone, of whatever has them. */
export function planningFacts(pod: PlanningFacts): PlanningFacts {
  const { ownerKind, obstacle, terminating, affinity, topologySpread, namespaceLabels } = pod;
  return {
    ...(ownerKind !== undefined && { ownerKind }),
    ...(obstacle !== undefined && { obstacle }),
    ...(terminating !== undefined && { terminating }),
    ...(affinity !== undefined && { affinity }),
    ...(topologySpread !== undefined && { topologySpread }),
    ...(namespaceLabels !== undefined && { namespaceLabels }),
  };
}
