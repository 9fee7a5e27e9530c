/** PodMigration: one move of one pod to another node, asked for and recorded. This schema is the type and the CRD. */
import { z } from "zod";
import type { KubeObject, ResourceKind } from "../../kube/client.ts";
import { conditionSchema, durationBetween, nameSchema, quantitySchema, timeSchema } from "./fields.ts";
import { type API_VERSION, GROUP, VERSION } from "./group.ts";
import { withTransitionRules } from "./rules.ts";

export const PHASES = [
  "Pending",
  "Preflight",
  "Preparing",
  "Frozen",
  "Restoring",
  "Committed",
  "Succeeded",
  "RollingBack",
  "RolledBack",
  "Failed",
  "Cancelled",
] as const;
export const phaseSchema = z.enum(PHASES);
export type Phase = z.infer<typeof phaseSchema>;

/** Reason of a move that succeeded and whose program failed within a minute of its release. */
export const PROGRAM_FAILED = "ProgramFailed";

/** Reason of a move that was frozen in vain, because of something that CRIU does not carry: another would end in the same way. */
export const NOT_CARRIED = "NotCarried";

/** Reason of a move that was only asked about, and could be made. */
export const DRY_RUN = "DryRun";

/** Phases that a move never leaves. */
export const FINAL_PHASES: ReadonlySet<Phase> = new Set(["Succeeded", "RolledBack", "Failed", "Cancelled"]);

export const tcpSchema = z
  .enum(["Refuse", "Close"])
  .describe("Refuse: a pod with established TCP connections is not moved. Close: the move closes them.");

const keeps = (field: string) => ({
  rule: `self.${field} == oldSelf.${field}`,
  message: `${field} cannot be changed; delete this PodMigration and create another`,
  fieldPath: `.${field}`,
});
const keepsOptional = (field: string) => ({
  ...keeps(field),
  rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
});

export const podMigrationSpecSchema = withTransitionRules(
  z.object({
    podName: nameSchema.describe("The pod to move, in this object's namespace."),
    targetNode: nameSchema.optional().describe("The node to move it to. Absent: placement chooses one."),
    policyName: nameSchema
      .optional()
      .describe("The MigrationPolicy that asked for this move; absent when written by hand."),
    timeout: durationBetween("10s", "24h")
      .default("10m")
      .describe("The move is rolled back when it has not been committed after this time."),
    tcp: tcpSchema.default("Refuse"),
    dryRun: z
      .boolean()
      .optional()
      .describe(
        "Set to true to ask whether the pod could be moved: the checks are made, nothing is touched, and phase Cancelled with reason DryRun says where it could go.",
      ),
    cancel: z
      .boolean()
      .default(false)
      .describe("Set to true to cancel the move; cannot be taken back. After the commit it has no effect."),
  }),
  [
    keeps("podName"),
    keepsOptional("targetNode"),
    keepsOptional("policyName"),
    keeps("timeout"),
    keeps("tcp"),
    keepsOptional("dryRun"),
    { rule: "!oldSelf.cancel || self.cancel", message: "cancel cannot be taken back", fieldPath: ".cancel" },
  ],
);

export const refusalSchema = z.object({
  namespace: z.string().max(63).optional().describe("The pod's namespace."),
  pod: z.string().max(253).optional().describe("The pod that was considered; absent: the reason holds for any pod."),
  node: z
    .string()
    .max(253)
    .optional()
    .describe("The target that was considered; absent: the reason holds for any node."),
  reason: z.string().max(63).describe("CamelCase, stable."),
  message: z.string().max(400).describe("The same in a sentence."),
});

export const causeSchema = z.object({
  message: z.string().max(1024).describe("Why this move was made, in a sentence."),
  measured: z
    .object({
      node: z.string().describe("The node that was short of memory."),
      usedBytes: z.number().describe("What it used, in bytes."),
      capacityBytes: z.number().describe("What it has, in bytes."),
      pressureBytes: z.number().describe("What the node had to free."),
    })
    .optional()
    .describe("The figures that the decision rests on."),
  forecast: z
    .object({
      exhaustedAt: timeSchema.optional().describe("When the node would have run out of memory."),
      deadline: timeSchema.optional().describe("By when less might have been free than should be."),
      message: z.string().max(400).describe("What was foreseen, in a sentence."),
    })
    .optional()
    .describe("What was foreseen, where a forecast was made."),
  considered: z.array(refusalSchema).max(20).default([]).describe("What else was considered, and why not."),
});

export const freezeSchema = z.object({
  expectedMilliseconds: z
    .number()
    .describe("How long the freeze is expected to take; raised while the transfer turns out to be slower."),
  bytesPerSecond: z.number().describe("The rate that this rests on: memory and files, shared with other moves."),
  basis: z
    .enum(["Prior", "Cluster", "NodePair", "Progress"])
    .describe(
      "Where the rate is known from: nothing measured yet, this cluster's moves, moves between these two nodes, or this transfer itself.",
    ),
  forgivenMilliseconds: z
    .number()
    .optional()
    .describe("The longest freeze that the pod's liveness probe forgives; absent: it has none."),
  linkBytesPerSecond: z.number().optional().describe("What the link carried at the least, measured before the freeze."),
});

export const podMigrationStatusSchema = z.object({
  observedGeneration: z.int().optional().describe("The metadata.generation that this status was made for."),
  phase: phaseSchema
    .default("Pending")
    .describe(
      "How far the move is. Up to Restoring it can be rolled back; from Committed on it goes through. Succeeded, RolledBack, Failed and Cancelled are final.",
    ),
  reason: z.string().max(1024).optional().describe("Why the move is in this phase: CamelCase, stable."),
  message: z.string().max(2048).optional().describe("The same in a sentence."),
  sourcePodUID: z
    .string()
    .max(64)
    .optional()
    .describe("The UID of the pod that is moved, pinned before anything is touched."),
  targetPodUID: z.string().max(64).optional().describe("The UID of the copy on the target."),
  targetPodName: z.string().max(253).optional().describe("The name of the copy on the target."),
  sourceNode: z.string().max(253).optional().describe("The node the pod is moved from."),
  targetNode: z.string().max(253).optional().describe("The node the pod is moved to."),
  lineage: z.string().max(64).optional().describe("UID of the first pod of this lineage."),
  owner: z
    .object({
      apiVersion: z.string().describe("The owner's API version."),
      kind: z.string().describe("The owner's kind."),
      name: z.string().describe("The owner's name."),
      uid: z.string().describe("The owner's UID."),
    })
    .optional()
    .describe("The source pod's controller, to be handed over."),
  handOver: z
    .object({
      labels: z.record(z.string(), z.string()).default({}).describe("The source's labels."),
      finalizers: z.array(z.string()).default([]).describe("The source's finalizers."),
      ownerReferences: z
        .array(z.looseObject({ apiVersion: z.string(), kind: z.string(), name: z.string(), uid: z.string() }))
        .default([])
        .describe("The source's owners."),
    })
    .optional()
    .describe("What the source pod carried and the target is given after the commit."),
  startTime: timeSchema.optional().describe("When the move began."),
  completionTime: timeSchema.optional().describe("When the move reached a final phase."),
  phaseTransitions: z
    .array(z.object({ phase: phaseSchema.describe("The phase."), time: timeSchema.describe("When it was entered.") }))
    .max(32)
    .default([])
    .describe("The phases so far, in order."),
  containers: z
    .array(
      z.object({
        name: z.string().describe("The container's name."),
        containerID: z.string().optional().describe("Its ID on the source node."),
        memoryBytes: z.number().describe("The memory that its image holds."),
        filesBytes: z.number().optional().describe("The bytes of its writable layer and emptyDirs."),
        memoryFilesBytes: z.number().optional().describe("The part of filesBytes that is staged in memory."),
        transferredBytes: z.number().optional().describe("The bytes that were sent for it."),
      }),
    )
    .max(16)
    .default([])
    .describe("What was moved, by container."),
  memory: quantitySchema.optional().describe("The memory moved, for people."),
  frozenAt: timeSchema.optional().describe("When the source executed its last instruction, by its node's clock."),
  releasedAt: timeSchema.optional().describe("When the copy executed its first instruction, by its node's clock."),
  freeze: freezeSchema.optional().describe("How long the pod is expected to be frozen, and why."),
  freezeMilliseconds: z
    .number()
    .optional()
    .describe(
      "From the source's last instruction to the next one: the copy's, or after a roll-back its own. Absent: the pod was never frozen.",
    ),
  timings: z.record(z.string(), z.number()).default({}).describe("Milliseconds that each step took, by its name."),
  cause: causeSchema.optional().describe("Why the move was made, and what else was considered."),
  conditions: z.array(conditionSchema).max(16).default([]).describe("The move's conditions."),
});

export type PodMigrationSpec = z.infer<typeof podMigrationSpecSchema>;
export type PodMigrationStatus = z.infer<typeof podMigrationStatusSchema>;
/** What a move's freeze is expected to be. */
export type FreezeStatus = z.infer<typeof freezeSchema>;
export type MoveCause = z.infer<typeof causeSchema>;

/** The pod was moved, and its program has not failed since, as far as it was watched. */
export function wentWell(status: PodMigrationStatus | undefined): boolean {
  return status?.phase === "Succeeded" && status.reason !== PROGRAM_FAILED;
}

/** `status` is absent until the controller has seen the object. */
export interface PodMigration extends KubeObject {
  apiVersion: typeof API_VERSION;
  kind: "PodMigration";
  spec: PodMigrationSpec;
  status?: PodMigrationStatus;
}

export const POD_MIGRATIONS: ResourceKind<PodMigration> = {
  group: GROUP,
  version: VERSION,
  plural: "podmigrations",
  kind: "PodMigration",
  namespaced: true,
};
