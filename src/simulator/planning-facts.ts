/** What of a pod only planning asks for: whether it may be moved, and beside what. The rest of the simulation takes no notice of it. */

import type { SchedulingRules } from "../planning/scheduling-rules.ts";
import type { PodSnapshot } from "../planning/snapshot.ts";

export interface PlanningFacts extends SchedulingRules, Pick<PodSnapshot, "ownerKind" | "obstacle" | "terminating"> {
  namespaceLabels?: Record<string, string>;
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
