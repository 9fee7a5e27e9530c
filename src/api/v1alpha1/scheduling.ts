/** The part of a pod's spec that says where it may run, as Kubernetes writes it; for written cluster snapshots. */
import { z } from "zod";

const labelSelector = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.strictObject({
        key: z.string().min(1),
        operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

const nodeRequirements = z.array(
  z.strictObject({
    key: z.string().min(1),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    values: z.array(z.string()).optional(),
  }),
);

const fieldRequirements = z.array(
  z.strictObject({
    key: z.literal("metadata.name"),
    operator: z.enum(["In", "NotIn"]),
    values: z.array(z.string()).length(1),
  }),
);

const nodeSelectorTerm = z.strictObject({
  matchExpressions: nodeRequirements.optional(),
  matchFields: fieldRequirements.optional(),
});

const podTerm = z.strictObject({
  topologyKey: z.string().min(1),
  labelSelector: labelSelector.optional(),
  namespaces: z.array(z.string()).optional(),
  namespaceSelector: labelSelector.optional(),
  matchLabelKeys: z.array(z.string()).optional().describe("Not read: the API server puts them into labelSelector."),
  mismatchLabelKeys: z.array(z.string()).optional().describe("Not read: the API server puts them into labelSelector."),
});

const preferred = z.array(z.unknown()).optional().describe("Not read: a preference keeps no pod off a node.");

const podTerms = z.strictObject({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: preferred,
});

export const affinitySchema = z.strictObject({
  nodeAffinity: z
    .strictObject({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .strictObject({ nodeSelectorTerms: z.array(nodeSelectorTerm) })
        .optional(),
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    })
    .optional(),
  podAffinity: podTerms.optional(),
  podAntiAffinity: podTerms.optional(),
});

const inclusion = z.enum(["Honor", "Ignore"]).optional();

export const topologySpreadSchema = z.array(
  z.strictObject({
    maxSkew: z.int().min(1),
    topologyKey: z.string().min(1),
    whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]).describe("ScheduleAnyway keeps no pod off a node."),
    labelSelector: labelSelector.optional(),
    matchLabelKeys: z.array(z.string()).optional(),
    minDomains: z.int().min(1).optional(),
    nodeAffinityPolicy: inclusion,
    nodeTaintsPolicy: inclusion,
  }),
);
