/** What a source pod carries and its copy is given after the commit. Pure. */
import type { PodMigrationStatus } from "../../../api/v1alpha1/pod-migration.ts";
import type { Pod } from "../../../kube/resources.ts";

export type Belongings = NonNullable<PodMigrationStatus["handOver"]>;

/** By this finalizer a Job's controller knows the pods that it has not counted yet. */
export const JOB_TRACKING = "batch.kubernetes.io/job-tracking";

export function handOverOf(pod: Pod): Belongings {
  return {
    labels: { ...pod.metadata.labels },
    finalizers: (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer === JOB_TRACKING),
    ownerReferences: (pod.metadata.ownerReferences ?? []).map((owner) => ({ ...owner })),
  };
}
