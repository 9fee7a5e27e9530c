/** MigrationPolicy: when pods are moved, which, where to and how fast. This schema is the type, the CRD and the docs. */
import { z } from "zod";
import type { KubeObject, ResourceKind } from "../../kube/client.ts";
import { PACING_STRATEGIES } from "../../planning/pacing/strategies.ts";
import { PLACEMENT_STRATEGIES } from "../../planning/placement/strategies.ts";
import { PRESSURE_STRATEGIES } from "../../planning/pressure/strategies.ts";
import { SELECTION_STRATEGIES } from "../../planning/selection/strategies.ts";
import { parsePercent } from "../quantity.ts";
import {
  amountSchema,
  conditionSchema,
  durationBetween,
  labelSelectorSchema,
  percentSchema,
  quantitySchema,
  timeSchema,
} from "./fields.ts";
import { type API_VERSION, GROUP, VERSION } from "./group.ts";
import { refusalSchema, tcpSchema } from "./pod-migration.ts";
import { withRules } from "./rules.ts";
import { strategyField } from "./strategy-field.ts";

export const METRICS_SOURCES = ["InfluxDB", "KubeletSummary"] as const;
export type MetricsSourceName = (typeof METRICS_SOURCES)[number];

const metricsSchema = z.object({
  source: z
    .enum(METRICS_SOURCES)
    .default("InfluxDB")
    .describe(
      "Where memory figures come from. InfluxDB: what Telegraf wrote; its connection is part of the controller's configuration. KubeletSummary: the kubelets themselves, through the API server; needs nothing installed.",
    ),
  staleAfter: durationBetween("1s", "24h")
    .default("90s")
    .describe("Samples older than this are stale: nothing is moved because of them, and their node is no target."),
});

const confirmationSchema = withRules(
  z.object({
    needed: z.int().min(1).max(100).default(1).describe("So many of the last evaluations must find the node short."),
    of: z.int().min(1).max(100).default(1).describe("So many evaluations are looked at, this one included."),
  }),
  [
    {
      rule: "self.needed <= self.of",
      message: "needed must not be more than of",
      fieldPath: ".needed",
      check: ({ needed, of }) => needed <= of,
    },
  ],
);

const pressureSchema = strategyField(
  PRESSURE_STRATEGIES,
  {
    freeBelow: amountSchema
      .default("20%")
      .describe(
        "A node with less free memory than this is short, and must free the difference: a percentage of its capacity, or a quantity. Free is capacity minus used.",
      ),
    freeUntil: amountSchema
      .optional()
      .describe(
        "A node that is short must free up to this, and stays short until so much is free. Less than freeBelow counts as freeBelow. Absent: freeBelow.",
      ),
    // Whole, not {}: the API server holds a default against the rules before it fills in what is below it.
    confirmation: confirmationSchema
      .default({ needed: 1, of: 1 })
      .describe("How often a node must be found short before it counts."),
  },
  "Threshold",
);

const eligibilitySchema = z.object({
  minMemory: quantitySchema.default("64Mi").describe("Pods that use less than this are not worth a move."),
  skipAboveProgress: percentSchema
    .default("95%")
    .describe(
      "Pods that have run for more than this part of their expected runtime stay. Expected runtime: the pod's annotation headroom.dev/expected-runtime, else its activeDeadlineSeconds; unknown means movable.",
    ),
  skipBelowRemaining: durationBetween("0s", "8760h")
    .default("180s")
    .describe("Pods with less than this left of their expected runtime stay."),
  cooldown: durationBetween("0s", "168h")
    .default("0s")
    .describe("A pod that was moved is not moved again for so long; its successors neither."),
});

const placementSchema = strategyField(
  PLACEMENT_STRATEGIES,
  {
    margin: amountSchema
      .default("5%")
      .describe("Room that must remain free on the target beyond freeBelow, after the move."),
    noReturnFor: durationBetween("0s", "168h")
      .default("5m")
      .describe("A pod does not go back so soon to a node that it was moved from."),
  },
  "MostFree",
);

const pacingSchema = strategyField(
  PACING_STRATEGIES,
  {
    maxMovesPerEvaluation: z
      .int()
      .min(1)
      .max(100)
      .default(1)
      .describe("How many moves one evaluation may start at most for this policy."),
    maxMovesPerHour: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe(
        "This policy starts no move while so many, everyone's, were started in the cluster within an hour, as far as they are on record (history.keep). Absent: no limit.",
      ),
    maxMovesPerNode: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe(
        "Moves at once from a node, and as many to a node, everyone's. Absent: as many as the strategy admits.",
      ),
  },
  "Blocking",
);

const percentOf = (text: string) => parsePercent(text) ?? Number.NaN;
const schedulingGateSchema = withRules(
  z.object({
    closeAbove: percentSchema
      .default("80%")
      .describe(
        "A node with more than this part of its memory used gets the taint headroom.dev/filling-up:NoSchedule.",
      ),
    reopenBelow: percentSchema
      .default("65%")
      .describe("The taint is taken off once no more than this part is used. In between nothing changes."),
  }),
  [
    {
      rule: "!self.closeAbove.endsWith('%') || !self.reopenBelow.endsWith('%') || double(self.reopenBelow.split('%')[0]) < double(self.closeAbove.split('%')[0])",
      message: "reopenBelow must be less than closeAbove",
      fieldPath: ".reopenBelow",
      check: ({ closeAbove, reopenBelow }) => !(percentOf(reopenBelow) >= percentOf(closeAbove)),
    },
  ],
);

export const migrationPolicySpecSchema = z.object({
  mode: z
    .enum(["DryRun", "Enforce"])
    .default("DryRun")
    .describe("DryRun: the same decisions as in Enforce, shown in status and events; nothing is touched."),
  podSelector: labelSelectorSchema.describe(
    'Labels of the pods that this policy may move; {} selects all. A pod opts out with the annotation headroom.dev/move: "false".',
  ),
  namespaceSelector: labelSelectorSchema
    .prefault({})
    .describe("Labels of the namespaces whose pods may be moved; {} selects all but kube-system and Headroom's own."),
  nodeLabelSelector: labelSelectorSchema
    .prefault({})
    .describe("Labels of the nodes that this policy watches, gates and moves pods to; {} selects all."),
  evaluationInterval: durationBetween("1s", "1h").default("15s").describe("How often the policy is evaluated."),
  metrics: metricsSchema.prefault({}).describe("Where memory figures come from."),
  pressure: pressureSchema.prefault({}).describe("When a node is short of memory, and by how much."),
  eligibility: eligibilitySchema.prefault({}).describe("Which pods are worth a move at all."),
  selection: strategyField(SELECTION_STRATEGIES, {}, "Max")
    .prefault({})
    .describe("Which of the eligible pods are moved to relieve a node."),
  placement: placementSchema.prefault({}).describe("To which node each pod goes."),
  pacing: pacingSchema.prefault({}).describe("How many moves at once, and how soon again."),
  schedulingGate: schedulingGateSchema.optional().describe("Keeps new pods off nodes that fill up. Absent: no gate."),
  migration: z
    .object({
      timeout: durationBetween("10s", "24h")
        .default("10m")
        .describe("A move that is not committed after this time is rolled back."),
      tcp: tcpSchema.default("Refuse"),
    })
    .prefault({})
    .describe("What the moves of this policy are like."),
  history: z
    .object({
      keep: z
        .int()
        .min(0)
        .max(10_000)
        .default(200)
        .describe("How many finished PodMigrations of this policy are kept."),
    })
    .prefault({})
    .describe("How long the audit trail is."),
});

const nodeStatusSchema = z.object({
  name: z.string().describe("The node."),
  freeBytes: z.number().optional().describe("Free memory as last measured."),
  pressureBytes: z.number().describe("What the node must free; 0: nothing."),
  deadline: timeSchema
    .optional()
    .describe("When less than freeBelow may be free at the earliest; moves are to have ended by then. With Forecast."),
  exhaustedAt: timeSchema.optional().describe("When nothing would be free any more, as far as it is foreseen."),
  outcome: z.string().describe("What follows from it: CamelCase, stable."),
  message: z.string().max(400).optional().describe("The same in a sentence."),
  gated: z.boolean().optional().describe("This policy keeps new pods off the node."),
});

const recommendationSchema = z.object({
  namespace: z.string().describe("The pod's namespace."),
  pod: z.string().describe("The pod that Enforce would move."),
  from: z.string().describe("The node it runs on."),
  to: z.string().describe("The node it would go to."),
  bytes: z.number().describe("The memory it uses."),
  startAt: timeSchema.optional().describe("When the move would start; absent: now."),
  reason: z.string().describe("CamelCase, stable."),
  message: z.string().max(400).describe("Why, in a sentence."),
});

export const migrationPolicyStatusSchema = z.object({
  observedGeneration: z.int().optional().describe("The metadata.generation that this status was made for."),
  lastEvaluationTime: timeSchema
    .optional()
    .describe("When the policy was last evaluated with a result worth writing; at least every five minutes."),
  counts: z
    .object({
      nodes: z.int().describe("Nodes that the policy watches."),
      pressured: z.int().describe("Nodes that are short of memory."),
      gated: z.int().describe("Nodes that this policy keeps new pods off."),
      pods: z.int().describe("Pods that the policy may move."),
      moving: z.int().describe("Moves of this policy under way."),
      moved: z
        .int()
        .describe(
          "Moves of this policy that succeeded, and whose programs did not fail right afterwards; those still on record.",
        ),
      failed: z
        .int()
        .describe(
          "Moves of this policy that did not succeed, or whose program failed within a minute of its release; those still on record.",
        ),
    })
    .optional()
    .describe("The figures in short."),
  nodes: z.array(nodeStatusSchema).max(50).optional().describe("Nodes that are pressured or gated, the worst first."),
  recommendations: z.array(recommendationSchema).max(50).optional().describe("In DryRun: what Enforce would do now."),
  refusals: z
    .array(refusalSchema)
    .max(20)
    .optional()
    .describe("Pods and nodes that were considered for a pressured node, and why they were passed over."),
  conditions: z
    .array(conditionSchema)
    .max(16)
    .optional()
    .describe("Ready, MetricsAvailable, AgentsReady, NodesFull and Overlapping."),
});

export type MigrationPolicySpec = z.output<typeof migrationPolicySpecSchema>;
export type MigrationPolicyStatus = z.output<typeof migrationPolicyStatusSchema>;

/** `status` is absent until the controller has evaluated the policy. */
export interface MigrationPolicy extends KubeObject {
  apiVersion: typeof API_VERSION;
  kind: "MigrationPolicy";
  spec: MigrationPolicySpec;
  status?: MigrationPolicyStatus;
}

export const MIGRATION_POLICIES: ResourceKind<MigrationPolicy> = {
  group: GROUP,
  version: VERSION,
  plural: "migrationpolicies",
  kind: "MigrationPolicy",
  namespaced: false,
};
