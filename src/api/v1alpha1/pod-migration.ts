/** PodMigration: one move of one pod to another node, asked for and recorded. This schema is the type and the CRD. */
import { z } from "zod";
import type { KubeObject, ResourceKind } from "../../kube/client.ts";
import { conditionSchema, durationSchema, nameSchema, quantitySchema, timeSchema } from "./fields.ts";
import { type API_VERSION, GROUP, VERSION } from "./group.ts";

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

/** Phases that a move never leaves. */
export const FINAL_PHASES: ReadonlySet<Phase> = new Set(["Succeeded", "RolledBack", "Failed", "Cancelled"]);

export const tcpSchema = z
  .enum(["Refuse", "Close"])
  .describe("Refuse: a pod with established TCP connections is not moved. Close: the move closes them.");

export const podMigrationSpecSchema = z.object({
  podName: nameSchema.describe("The pod to move, in this object's namespace."),
  targetNode: nameSchema.optional().describe("The node to move it to. Absent: placement chooses one."),
  policyName: nameSchema
    .optional()
    .describe("The MigrationPolicy that asked for this move; absent when written by hand."),
  timeout: durationSchema
    .default("10m")
    .describe("The move is rolled back when it has not been committed after this time."),
  tcp: tcpSchema.default("Refuse"),
  cancel: z.boolean().default(false).describe("Set to true to cancel the move. After the commit it has no effect."),
});

export const refusalSchema = z.object({
  namespace: z.string().optional(),
  pod: z.string().optional(),
  node: z.string().optional(),
  reason: z.string().describe("CamelCase, stable."),
  message: z.string().max(400),
});

export const causeSchema = z.object({
  message: z.string().max(1024).describe("Why this move was made, in a sentence."),
  measured: z
    .object({
      node: z.string(),
      usedBytes: z.number(),
      capacityBytes: z.number(),
      pressureBytes: z.number().describe("What the node had to free."),
    })
    .optional(),
  forecast: z.object({ exhaustedAt: timeSchema.optional(), message: z.string().max(400) }).optional(),
  considered: z.array(refusalSchema).max(20).default([]).describe("What else was considered, and why not."),
});

export const podMigrationStatusSchema = z.object({
  observedGeneration: z.int().optional(),
  phase: phaseSchema.default("Pending"),
  reason: z.string().optional().describe("Why the move is in this phase: CamelCase, stable."),
  message: z.string().max(2048).optional(),
  sourcePodUID: z.string().optional(),
  targetPodUID: z.string().optional(),
  targetPodName: z.string().optional(),
  sourceNode: z.string().optional(),
  targetNode: z.string().optional(),
  lineage: z.string().optional().describe("UID of the first pod of this lineage."),
  owner: z
    .object({ apiVersion: z.string(), kind: z.string(), name: z.string(), uid: z.string() })
    .optional()
    .describe("The source pod's controller, to be handed over."),
  handOver: z
    .object({
      labels: z.record(z.string(), z.string()).default({}),
      finalizers: z.array(z.string()).default([]),
      ownerReferences: z
        .array(z.looseObject({ apiVersion: z.string(), kind: z.string(), name: z.string(), uid: z.string() }))
        .default([]),
    })
    .optional()
    .describe("What the source pod carried and the target is given after the commit."),
  startTime: timeSchema.optional(),
  completionTime: timeSchema.optional(),
  phaseTransitions: z
    .array(z.object({ phase: phaseSchema, time: timeSchema }))
    .max(32)
    .default([]),
  containers: z
    .array(
      z.object({
        name: z.string(),
        containerID: z.string().optional(),
        memoryBytes: z.number(),
        transferredBytes: z.number().optional(),
      }),
    )
    .max(16)
    .default([]),
  memory: quantitySchema.optional().describe("The memory moved, for people."),
  freezeMilliseconds: z
    .number()
    .optional()
    .describe("From the source's last instruction to the restored process's first."),
  timings: z.record(z.string(), z.number()).default({}).describe("Milliseconds that each step took, by its name."),
  cause: causeSchema.optional(),
  conditions: z.array(conditionSchema).max(16).default([]),
});

export type PodMigrationSpec = z.infer<typeof podMigrationSpecSchema>;
export type PodMigrationStatus = z.infer<typeof podMigrationStatusSchema>;
export type MoveCause = z.infer<typeof causeSchema>;

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
