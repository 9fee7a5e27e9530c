/** The resources of this API group, as the API server is told of them. */
import { dump } from "js-yaml";
import { customResourceDefinition, type PrinterColumn, type ResourceDefinition } from "./crd.ts";
import {
  MIGRATION_POLICIES,
  migrationPolicySpecSchema,
  migrationPolicyStatusSchema,
} from "./v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS, podMigrationSpecSchema, podMigrationStatusSchema } from "./v1alpha1/pod-migration.ts";

const AGE: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

const migrationPolicy: ResourceDefinition = {
  ...MIGRATION_POLICIES,
  singular: "migrationpolicy",
  shortNames: ["mpol"],
  description: "When pods are moved to another node to keep memory free, which ones, where to and how fast.",
  spec: migrationPolicySpecSchema,
  status: migrationPolicyStatusSchema,
  columns: [
    { name: "Mode", type: "string", jsonPath: ".spec.mode" },
    { name: "Nodes", type: "integer", jsonPath: ".status.counts.nodes" },
    { name: "Pressured", type: "integer", jsonPath: ".status.counts.pressured" },
    { name: "Moving", type: "integer", jsonPath: ".status.counts.moving" },
    { name: "Moved", type: "integer", jsonPath: ".status.counts.moved" },
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
    AGE,
  ],
  rules: [
    {
      rule: "size(self.metadata.name) <= 63",
      message: "metadata.name: must have at most 63 characters, for it becomes the value of a label and of a taint",
    },
  ],
};

const podMigration: ResourceDefinition = {
  ...POD_MIGRATIONS,
  singular: "podmigration",
  shortNames: ["pmig"],
  description: "One move of one running pod, with its memory, to another node: asked for and recorded.",
  spec: podMigrationSpecSchema,
  status: podMigrationStatusSchema,
  columns: [
    { name: "Pod", type: "string", jsonPath: ".spec.podName" },
    { name: "From", type: "string", jsonPath: ".status.sourceNode" },
    { name: "To", type: "string", jsonPath: ".status.targetNode" },
    { name: "Phase", type: "string", jsonPath: ".status.phase" },
    { name: "Reason", type: "string", jsonPath: ".status.reason" },
    { name: "Memory", type: "string", jsonPath: ".status.memory" },
    {
      name: "Freeze",
      type: "integer",
      jsonPath: ".status.freezeMilliseconds",
      description:
        "Milliseconds from the source's last instruction to the next one: the copy's, or after a roll-back its own.",
    },
    { name: "Policy", type: "string", jsonPath: ".spec.policyName", priority: 1 },
    { name: "Message", type: "string", jsonPath: ".status.message", priority: 1 },
    AGE,
  ],
};

const RESOURCES: readonly ResourceDefinition[] = [migrationPolicy, podMigration];

/** File name and content of every generated manifest. */
export function crdFiles(): { name: string; content: string }[] {
  return RESOURCES.map((definition) => ({
    name: `${definition.group}_${definition.plural}.yaml`,
    content: `# Generated from src/api by "npm run generate"; do not edit.\n${dump(customResourceDefinition(definition), { lineWidth: -1, noRefs: true })}`,
  }));
}
