/** What uninstalling decides, from what the cluster shows: pure. */

import { FINALIZER, GATE_TAINT, RUNTIME_CLASS } from "../api/v1alpha1/group.ts";
import { FINAL_PHASES, type PodMigration } from "../api/v1alpha1/pod-migration.ts";
import type { KubeObject } from "../kube/client.ts";
import type { DaemonSet, Node, Pod } from "../kube/resources.ts";

/** A pod's address for people. */
export const nameOf = (object: KubeObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

export function unfinished(moves: readonly PodMigration[]): PodMigration[] {
  return moves.filter((move) => !FINAL_PHASES.has(move.status?.phase ?? "Pending"));
}

/** Pods whose containers run, or may be started again, under Headroom's runtime handler, by the node they are on. */
export function movedPodsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = pod.spec.nodeName;
    const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    if (pod.spec.runtimeClassName !== RUNTIME_CLASS || ended || node === undefined) continue;
    byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  return byNode;
}

/** The node's taints without Headroom's; undefined when it has none of them. */
export function taintsWithoutGate(node: Node): NonNullable<Node["spec"]>["taints"] {
  const taints = node.spec?.taints ?? [];
  const others = taints.filter((taint) => taint.key !== GATE_TAINT);
  return others.length === taints.length ? undefined : others;
}

/** The object's finalizers without Headroom's; undefined when it doesn't have it. */
export function finalizersWithoutOurs(object: KubeObject): string[] | undefined {
  const finalizers = object.metadata.finalizers ?? [];
  return finalizers.includes(FINALIZER) ? finalizers.filter((finalizer) => finalizer !== FINALIZER) : undefined;
}

/** Nodes that an agent has run on or may have run on: each may hold the handler and the agent's files. */
export function nodesOfAgents(
  nodes: readonly Node[],
  agents: DaemonSet | undefined,
  agentPods: readonly Pod[],
): Node[] {
  const selector = Object.entries(agents?.spec?.template.spec?.nodeSelector ?? {});
  const withPod = new Set(agentPods.map((pod) => pod.spec.nodeName));
  return nodes.filter((node) => {
    const labels = node.metadata.labels ?? {};
    return withPod.has(node.metadata.name) || selector.every(([key, value]) => labels[key] === value);
  });
}

export const isReady = (node: Node): boolean =>
  node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
