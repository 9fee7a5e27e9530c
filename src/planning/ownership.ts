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

/** `policies` in order of precedence. */
export function ownPods(cluster: Cluster, policies: readonly Policy[]): Ownership {
  const owned = new Map<Policy, Map<ClusterNode, PodSnapshot[]>>(policies.map((policy) => [policy, new Map()]));
  const overlaps = new Map<Policy, { pods: number; owners: Set<string> }>(
    policies.map((policy) => [policy, { pods: 0, owners: new Set() }]),
  );
  for (const node of cluster.nodes) {
    const watching = policies.filter((policy) => policy.watchesNode(node.snapshot));
    for (const pod of node.pods) {
      const [owner, ...others] = watching.filter((policy) => policy.selectsPod(pod));
      if (owner === undefined) continue;
      const pods = owned.get(owner)?.get(node);
      if (pods === undefined) owned.get(owner)?.set(node, [pod]);
      else pods.push(pod);
      for (const other of others) noteOverlap(overlaps.get(other), owner.name);
    }
  }
  return {
    owned: (policy, node) => owned.get(policy)?.get(node) ?? [],
    count: (policy) => ({
      pods: sumLengths(owned.get(policy)?.values() ?? []),
      overlapping: overlaps.get(policy)?.pods ?? 0,
      overlappingWith: [...(overlaps.get(policy)?.owners ?? [])].sort(),
    }),
  };
}

function noteOverlap(overlap: { pods: number; owners: Set<string> } | undefined, owner: string): void {
  if (overlap === undefined) return;
  overlap.pods += 1;
  overlap.owners.add(owner);
}

function sumLengths(lists: Iterable<readonly unknown[]>): number {
  let sum = 0;
  for (const list of lists) sum += list.length;
  return sum;
}
