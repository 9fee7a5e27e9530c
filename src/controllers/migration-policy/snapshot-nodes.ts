/** Nodes of the API as planning sees them. Pure. */
import type { NodeFeatures } from "../../agent/protocol.ts";
import { amountBytes, parseResourceQuantity } from "../../api/quantity.ts";
import { isAgentPod } from "../../checkpointing/trust/agent-sites.ts";
import type { Node, Pod } from "../../kube/resources.ts";
import type { NodeSnapshot, Taint } from "../../planning/snapshot.ts";
import { stagingBudget } from "./staging-budget.ts";

/** The kubelet's own default, where a node doesn't say. */
const DEFAULT_MAX_PODS = 110;
const EFFECTS: ReadonlySet<string> = new Set(["NoSchedule", "PreferNoSchedule", "NoExecute"]);

function hasTrueReadyCondition(object: { status?: { conditions?: { type: string; status: string }[] } }): boolean {
  return (object.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
}

function isAgent(pod: Pod, ownNamespace: string): boolean {
  return isAgentPod(pod) && pod.metadata.namespace === ownNamespace && pod.metadata.deletionTimestamp === undefined;
}

/** The pods of agents that are ready, by node. */
export function readyAgents(pods: readonly Pod[], ownNamespace: string): Map<string, Pod> {
  const ready = pods.filter((pod) => isAgent(pod, ownNamespace) && hasTrueReadyCondition(pod));
  return new Map(ready.map((pod) => [pod.spec.nodeName ?? "", pod]));
}

/** 0 where the API has none: a node without capacity is neither relieved nor a target. */
const bytesOf = (quantity: string | undefined) => parseResourceQuantity(quantity ?? "") ?? 0;

function taintsOf(node: Node): Taint[] {
  return (node.spec?.taints ?? []).flatMap(({ key, value, effect }) =>
    // Unknown effects cannot be told; the strongest is assumed.
    [
      {
        key,
        ...(value === undefined ? {} : { value }),
        effect: EFFECTS.has(effect) ? (effect as Taint["effect"]) : "NoExecute",
      },
    ],
  );
}

/**
 * Without figures: those come by metrics source.
 * @param agent the pod of the node's agent, if it is ready.
 * @param features what the agent has said of its node.
 */
export function nodeSnapshot(
  node: Node,
  agent: Pod | undefined,
  features?: Pick<NodeFeatures, "handlerInstalled" | "handlerMessage" | "verdicts">,
): NodeSnapshot {
  const { capacity, allocatable } = node.status ?? {};
  const capacityBytes = bytesOf(capacity?.memory);
  return {
    name: node.metadata.name,
    capacityBytes,
    allocatableBytes: bytesOf(allocatable?.memory),
    usedBytes: undefined,
    sampledAtMs: undefined,
    labels: node.metadata.labels ?? {},
    taints: taintsOf(node),
    unschedulable: node.spec?.unschedulable ?? false,
    ready: hasTrueReadyCondition(node) && node.metadata.deletionTimestamp === undefined,
    maxPods: Number.parseInt(allocatable?.pods ?? capacity?.pods ?? `${DEFAULT_MAX_PODS}`, 10),
    agentReady: agent !== undefined,
    ...(agent && { stagingFreeBytes: amountBytes(stagingBudget(agent), capacityBytes) }),
    ...(features && provenBy(features)),
  };
}

function provenBy({
  handlerInstalled,
  handlerMessage,
  verdicts,
}: NonNullable<Parameters<typeof nodeSnapshot>[2]>): Pick<NodeSnapshot, "handlerMissing" | "failedKinds"> {
  const failed = verdicts.filter(({ ok }) => !ok).map(({ kind }) => kind);
  return {
    ...(handlerInstalled ? {} : { handlerMissing: handlerMessage ?? "the runtime handler is not installed" }),
    ...(failed.length === 0 ? {} : { failedKinds: failed }),
  };
}
