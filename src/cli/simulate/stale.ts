/** Policies whose figures will be too old for them: they do nothing, and their scores are just those of none. */
import { admitted, parseDuration } from "../../api/quantity.ts";
import type { NamedSpec, Variant } from "../../simulator/comparing/variants.ts";
import type { Conditions } from "../../simulator/scenario.ts";

/** A line for each such policy, and for each staleAfter that it is swept over. */
export function stale(variants: readonly Variant[], metrics: Conditions["metrics"]): string[] {
  // The clairvoyant reference's figures are never late.
  const policies = variants.flatMap((variant) => (variant.role === "Policy" ? variant.policies : []));
  return [...new Set(policies.flatMap((policy) => staleOne(policy, metrics)))];
}

/** The newest figure that is seen was taken the delay ago, or up to an interval before that. */
function staleOne({ name, spec }: NamedSpec, { delaySeconds, intervalSeconds }: Conditions["metrics"]): string[] {
  const { staleAfter } = spec.metrics;
  const staleSeconds = admitted(parseDuration, staleAfter);
  const delay = `--metrics-delay ${delaySeconds}s`;
  if (delaySeconds > staleSeconds) {
    const why = `they are older than its metrics.staleAfter of ${staleAfter} when they come (${delay})`;
    return [`policy ${name} finds all figures too old, and moves nothing: ${why}; ${LONGER} or a shorter delay`];
  }
  if (delaySeconds + intervalSeconds <= staleSeconds) return [];
  const oldest = `they get up to ${delaySeconds + intervalSeconds}s old (${delay}, --metrics-interval ${intervalSeconds}s)`;
  const why = `${oldest}, its metrics.staleAfter is ${staleAfter}`;
  return [
    `policy ${name} may find figures too old, and moves nothing then: ${why}; ${LONGER}, or a shorter delay or interval`,
  ];
}

const LONGER = "give a longer staleAfter";
