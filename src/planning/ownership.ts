/** Which policy a pod belongs to, when several match it: the first in order; the others are told that they overlap. */
import type { Cluster, ClusterNode } from "./cluster.ts";
import type { Policy } from "./policy.ts";
import type { PodSnapshot } from "./snapshot.ts";

export interface OwnershipCount {
  /** Pods that belong to the policy. */
  pods: number;
  /** Pods that it matches too, but that belong to the policies in `overlappingWith`. */
  overlapping: number;
  overlappingWith: string[];
}

export interface Ownership {
  /** The node's pods that belong to the policy, in the cluster's order. */
  owned(policy: Policy, node: ClusterNode): PodSnapshot[];
  count(policy: Policy): OwnershipCount;
}

interface Count {
  pods: number;
  overlapping: number;
  owners: Set<string>;
}

/** `policies` in order of precedence. */
export function ownPods(cluster: Cluster, policies: readonly Policy[]): Ownership {
  const counts = countPods(cluster, policies);
  return {
    owned(policy, node) {
      const watching = watchers(policies, node);
      if (!watching.includes(policy)) return [];
      return node.pods.filter((pod) => watching.find((one) => one.selectsPod(pod)) === policy);
    },
    count(policy) {
      const { pods, overlapping, owners } = counts.get(policy) ?? noPods();
      return { pods, overlapping, overlappingWith: [...owners].sort() };
    },
  };
}

const noPods = (): Count => ({ pods: 0, overlapping: 0, owners: new Set() });
const watchers = (policies: readonly Policy[], { snapshot }: ClusterNode) =>
  policies.filter((policy) => policy.watchesNode(snapshot));

function countPods(cluster: Cluster, policies: readonly Policy[]): Map<Policy, Count> {
  const counts = new Map(policies.map((policy) => [policy, noPods()]));
  for (const node of cluster.nodes) {
    const watching = watchers(policies, node);
    for (const pod of node.podsUnordered) countPod(pod, watching, counts);
  }
  return counts;
}

function countPod(pod: PodSnapshot, watching: readonly Policy[], counts: ReadonlyMap<Policy, Count>): void {
  let owner: Policy | undefined;
  for (const policy of watching) {
    if (!policy.selectsPod(pod)) continue;
    const count = counts.get(policy);
    if (count === undefined) continue;
    if (owner === undefined) count.pods += 1;
    else {
      count.overlapping += 1;
      count.owners.add(owner.name);
    }
    owner ??= policy;
  }
}
