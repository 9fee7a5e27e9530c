/**
 * What a pod's rules about other pods, and theirs about it, say of nodes: required pod affinity and anti-affinity, topology spread. As the
 * scheduler judges, the pod itself taken from where it runs; pods on the move count where they leave and where they go, whichever is
 * stricter.
 */
import type { Cluster } from "../cluster.ts";
import type { Reason } from "../decision.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import type { Arrivals } from "./arrivals.ts";
import { neighboursIn } from "./neighbours.ts";
import { affinityRule } from "./pod-affinity.ts";
import { antiAffinityRules, repellingRules } from "./pod-anti-affinity.ts";
import { spreadRules } from "./topology-spread.ts";

export type NodeRule = (node: NodeSnapshot) => Reason | undefined;

/** What all rules about neighbours are made from. */
export interface RuleInput {
  pod: PodSnapshot;
  cluster: Cluster;
  /** Without the pod itself. */
  arrivals: Arrivals;
}

const NO_RULES: readonly NodeRule[] = [];
const MADE = new WeakMap<Cluster, WeakMap<Arrivals, Map<PodSnapshot, readonly NodeRule[]>>>();

/** Made once for a pod, as long as no further move is planned. */
export function neighbourRules(pod: PodSnapshot, cluster: Cluster, arrivals: Arrivals): readonly NodeRule[] {
  if (!hasRules(pod) && neighboursIn(cluster).peaceful) return NO_RULES;
  const ofCluster = MADE.get(cluster) ?? new WeakMap<Arrivals, Map<PodSnapshot, readonly NodeRule[]>>();
  MADE.set(cluster, ofCluster);
  const made = ofCluster.get(arrivals) ?? new Map<PodSnapshot, readonly NodeRule[]>();
  ofCluster.set(arrivals, made);
  const rules = made.get(pod) ?? makeRules({ pod, cluster, arrivals: arrivals.filter((one) => one.pod !== pod) });
  made.set(pod, rules);
  return rules;
}

function hasRules({ affinity, topologySpread }: PodSnapshot): boolean {
  return affinity?.podAffinity !== undefined || affinity?.podAntiAffinity !== undefined || topologySpread !== undefined;
}

function makeRules(input: RuleInput): readonly NodeRule[] {
  return [...affinityRule(input), ...antiAffinityRules(input), ...repellingRules(input), ...spreadRules(input)];
}

export function neighbourRefusal(
  pod: PodSnapshot,
  node: NodeSnapshot,
  cluster: Cluster,
  arrivals: Arrivals,
): Reason | undefined {
  for (const rule of neighbourRules(pod, cluster, arrivals)) {
    const reason = rule(node);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
