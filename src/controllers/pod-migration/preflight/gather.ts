/** Preflight's questions to the nodes. All of its I/O but the dry run is here. */
import { BEING_PREPARED, type NodeFeatures, type SourceFacts } from "../../../agent/protocol.ts";
import type { SourceContainer } from "../../../checkpointing/driver.ts";
import type { MoveDependencies } from "../dependencies.ts";
import { type Attempt, attempt } from "../driver-failure.ts";

export interface SourceAnswers {
  features: NodeFeatures;
  facts: SourceFacts;
}

export async function askSource(
  deps: MoveDependencies,
  node: string,
  container: SourceContainer,
): Promise<Attempt<SourceAnswers>> {
  const [features, facts] = await Promise.all([askFeatures(deps, node), attempt(deps.driver.inspect(node, container))]);
  if (!features.ok) return features;
  if (!facts.ok) return facts;
  return { ok: true, value: { features: features.value, facts: facts.value } };
}

export function askTarget(deps: MoveDependencies, node: string): Promise<Attempt<NodeFeatures>> {
  return askFeatures(deps, node);
}

/** A node that is being prepared is asked again: it takes seconds. */
async function askFeatures(deps: MoveDependencies, node: string): Promise<Attempt<NodeFeatures>> {
  const features = await attempt(deps.driver.features(node));
  if (!features.ok || features.value.turn.state !== "preparing") return features;
  return { ok: false, failure: { reason: "WrongState", message: BEING_PREPARED, retryable: true, node } };
}
