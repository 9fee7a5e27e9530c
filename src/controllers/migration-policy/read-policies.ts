/** MigrationPolicy objects as planning's policies. Pure. */
import { parseDuration } from "../../api/quantity.ts";
import {
  type MetricsSourceName,
  type MigrationPolicy,
  type MigrationPolicySpec,
  migrationPolicySpecSchema,
} from "../../api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../planning/policy.ts";

export interface ReadPolicy {
  object: MigrationPolicy;
  spec: MigrationPolicySpec;
  policy: Policy;
  source: MetricsSourceName;
  intervalMs: number;
}

/** The API server refuses such objects; this is for one that was written under another version of the schema. */
export interface WrongPolicy {
  object: MigrationPolicy;
  message: string;
}

export interface ReadPolicies {
  policies: ReadPolicy[];
  wrong: WrongPolicy[];
}

const DEFAULT_INTERVAL_SECONDS = 15;

export function readPolicies(objects: readonly MigrationPolicy[]): ReadPolicies {
  const result: ReadPolicies = { policies: [], wrong: [] };
  for (const object of objects) {
    const parsed = migrationPolicySpecSchema.safeParse(object.spec);
    if (parsed.success) result.policies.push(readPolicy(object, parsed.data));
    else {
      const problems = parsed.error.issues.map(({ path, message }) => `spec.${path.join(".")}: ${message}`);
      result.wrong.push({ object, message: problems.join("; ") });
    }
  }
  return result;
}

function readPolicy(object: MigrationPolicy, spec: MigrationPolicySpec): ReadPolicy {
  const intervalSeconds = parseDuration(spec.evaluationInterval) ?? DEFAULT_INTERVAL_SECONDS;
  const policy = toPolicy(object.metadata.name, spec);
  return { object, spec, policy, source: spec.metrics.source, intervalMs: intervalSeconds * 1000 };
}
