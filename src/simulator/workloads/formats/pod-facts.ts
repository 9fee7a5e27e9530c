/** What keeps a Pod, written as Kubernetes does, from being moved or from some nodes: the controller's own checks are asked. */
import { z } from "zod";
import { affinitySchema, topologySpreadSchema } from "../../../api/v1alpha1/scheduling.ts";
import type { Pod } from "../../../kube/resources.ts";
import { podObstacle } from "../../../planning/eligibility/pod-obstacles.ts";
import { readRules } from "../../../planning/kubernetes-rules.ts";
import type { PlanningFacts } from "../../planning-facts.ts";

const objects = z.array(z.looseObject({})).nullish();

/** As much of each part as the checks take for granted; null is what some writers put for nothing. */
export const METADATA = {
  ownerReferences: z
    .array(
      z.looseObject({ apiVersion: z.string(), kind: z.string(), name: z.string(), controller: z.boolean().nullish() }),
    )
    .nullish(),
};
export const SPEC = {
  initContainers: objects,
  ephemeralContainers: objects,
  resourceClaims: objects,
  volumes: z.array(z.looseObject({ emptyDir: z.looseObject({ medium: z.string().nullish() }).nullish() })).nullish(),
  affinity: affinitySchema.nullish(),
  topologySpreadConstraints: topologySpreadSchema.nullish(),
};
export const CONTAINER = { volumeMounts: objects, volumeDevices: objects };

const parts = z.object({
  metadata: z.looseObject({ ...METADATA, labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({ ...SPEC, containers: z.array(z.looseObject(CONTAINER)) }),
});

/** In the simulation every pod does, whatever it did when it was written down. */
const RUNNING = { phase: "Running", containerStatuses: [{ state: { running: {} } }] };
/** Where the operator is installed unless told otherwise. */
const OWN_NAMESPACE = "headroom-system";

export function factsOfPod({ metadata, spec }: z.output<typeof parts>): PlanningFacts {
  // A pod without containers leaves them out: it is written for its memory alone.
  const containers = (spec.containers.length > 0 ? spec.containers : [{}]).map(present);
  const written: unknown = { metadata: present(metadata), spec: { ...present(spec), containers }, status: RUNNING };
  // The schemas above have what the checks rely on; they only look whether the rest is there.
  const obstacle = podObstacle(written as Pod, { ownNamespace: OWN_NAMESPACE });
  const ownerKind = metadata.ownerReferences?.find(({ controller }) => controller === true)?.kind;
  const { affinity, topologySpreadConstraints } = spec;
  return {
    ...(obstacle && { obstacle }),
    ...(ownerKind !== undefined && { ownerKind }),
    ...readRules(
      { affinity: affinity ?? undefined, topologySpreadConstraints: topologySpreadConstraints ?? undefined },
      metadata.labels,
    ),
  };
}

/** Without the members that are null. */
function present(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}
