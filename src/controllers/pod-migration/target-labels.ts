/**
 * Gives the target pod the source's labels: after it is bound, so that the scheduler doesn't hold them against the source that still runs, and
 * before its first instruction, so that NetworkPolicies select it. Its controller reference keeps its future owner away (docs/adr/0018).
 */
import { KubeError } from "../../kube/client.ts";
import { PODS, type Pod } from "../../kube/resources.ts";
import type { Refusal } from "./dependencies.ts";
import type { MoveRun } from "./run.ts";

/** Undefined when the bound target has all labels. A webhook may deny them. */
export async function labelTarget(run: MoveRun, target: Pod): Promise<Refusal | undefined> {
  const labels = run.move.status.handOver?.labels ?? {};
  if (hasLabels(target, labels)) return undefined;
  const { namespace, name, uid } = target.metadata;
  try {
    await run.deps.client.patch(PODS, { namespace, name }, { metadata: { uid, labels } });
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeError) || error.transient || error.reason === "NotFound") throw error;
    return {
      reason: "TargetPodRefused",
      message: `the API server would not give the target pod its labels: ${error.message}`,
    };
  }
}

export const isBound = (target: Pod): boolean => target.spec.nodeName !== undefined;

function hasLabels({ metadata }: Pod, labels: Record<string, string>): boolean {
  return Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
}
