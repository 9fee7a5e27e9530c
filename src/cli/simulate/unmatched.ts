/** Policies that select none of the pods: labels are easily forgotten, and recordings have none. */
import { matchesSelector } from "../../planning/selector.ts";
import type { Variant } from "../../simulator/comparing/variants.ts";
import type { SimulatedPod } from "../../simulator/scenario.ts";

/** A line for each such policy. */
export function unmatched(variants: readonly Variant[], pods: readonly SimulatedPod[]): string[] {
  const seen = new Set<string>();
  return variants.flatMap((variant) =>
    variant.policies.flatMap(({ name, spec }) => {
      if (variant.role !== "Policy" || seen.has(name)) return [];
      seen.add(name);
      if (pods.some((pod) => matchesSelector(spec.podSelector, pod.labels))) return [];
      const wanted = Object.entries(spec.podSelector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
      const hint = wanted.length > 0 ? `; --labels ${wanted.join(",")} puts its labels on every pod` : "";
      return [`policy ${name} selects none of the ${pods.length} pods${hint}`];
    }),
  );
}
