import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import type { Variant } from "../../../src/simulator/comparing/variants.ts";
import type { SpecInput } from "../../simulator/engine/world.ts";

/** Of one policy, which is called as the variant is. */
export function variant(name: string, spec: SpecInput = {}): Variant {
  const parsed = migrationPolicySpecSchema.parse({ podSelector: {}, ...spec });
  return { name, role: "Policy", policy: name, parameters: [], policies: [{ name, spec: parsed }] };
}
