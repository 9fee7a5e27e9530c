/** What a source pod carries and its copy is given: the labels before its release, the rest after it. Pure. */
import type { PodMigrationStatus } from "../../../api/v1alpha1/pod-migration.ts";
import type { Pod } from "../../../kube/resources.ts";

export type Belongings = NonNullable<PodMigrationStatus["handOver"]>;

/** By this finalizer a Job's controller knows the pods that it has not counted yet. */
export const JOB_TRACKING = "batch.kubernetes.io/job-tracking";

/** Labels that the API server gives a pod by its node when it is bound: the copy has its own. */
const OF_NODE = new Set(["topology.kubernetes.io/zone", "topology.kubernetes.io/region"]);

export function handOverOf(pod: Pod): Belongings {
  return {
    labels: Object.fromEntries(Object.entries(pod.metadata.labels ?? {}).filter(([key]) => !OF_NODE.has(key))),
    finalizers: (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer === JOB_TRACKING),
    ownerReferences: (pod.metadata.ownerReferences ?? []).map((owner) => ({ ...owner })),
  };
}
