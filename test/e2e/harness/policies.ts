/** MigrationPolicies, as the tests make and read them. */
import { waitFor } from "../cluster/wait.ts";
import { type Api, policiesPath } from "./api.ts";

export interface Policy {
  metadata: { name: string; generation: number };
  status?: {
    conditions?: { type: string; status: string; reason: string; message: string }[];
    recommendations?: { namespace: string; pod: string; from: string; to: string }[];
    refusals?: { pod?: string; node?: string; reason: string; message: string }[];
    counts?: Record<string, number>;
  };
}

export interface PolicySpec {
  [member: string]: unknown;
  mode?: "DryRun" | "Enforce";
  podSelector: { matchLabels: Record<string, string> };
}

export function createPolicy(api: Api, name: string, spec: PolicySpec): Promise<Policy> {
  return api.create<Policy>(policiesPath, {
    apiVersion: "headroom.dev/v1alpha1",
    kind: "MigrationPolicy",
    metadata: { name },
    spec,
  });
}

export function getPolicy(api: Api, name: string): Promise<Policy | undefined> {
  return api.get<Policy>(`${policiesPath}/${name}`);
}

type Condition = NonNullable<NonNullable<Policy["status"]>["conditions"]>[number];

export function conditionBecomes(
  api: Api,
  policy: string,
  type: string,
  status: "True" | "False",
  limitSeconds = 60,
): Promise<Condition> {
  return waitFor(`policy ${policy} to have ${type}=${status}`, limitSeconds, async () => {
    const conditions = (await getPolicy(api, policy))?.status?.conditions ?? [];
    const found = conditions.find((condition) => condition.type === type);
    if (found?.status === status) return found;
    throw new Error(`it has ${JSON.stringify(conditions)}`);
  });
}
