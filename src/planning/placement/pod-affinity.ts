/** Required pod affinity: the domains of the pods that a pod wants to be near. */
import type { Cluster } from "../cluster.ts";
import type { PodTerm } from "../scheduling-rules.ts";
import type { NodeSnapshot } from "../snapshot.ts";
import { domainChanges } from "./arrivals.ts";
import type { NodeRule, RuleInput } from "./neighbour-rules.ts";
import { at, domainOf, domainOfPod, neighboursIn } from "./neighbours.ts";
import { type MatchesPod, termKey, termMatcher } from "./pod-term.ts";

/**
 * In each term's domain there must be a pod that all terms select; one on the move to another domain is no such pod. A pod that only its
 * own terms select is the first of its kind, and stays in its domain: its copy is scheduled while it still runs.
 */
export function affinityRule(input: RuleInput): NodeRule[] {
  const { pod, cluster } = input;
  const terms = pod.affinity?.podAffinity ?? [];
  if (terms.length === 0) return [];
  const matchers = terms.map((term) => termMatcher(term, pod.namespace));
  const matches: MatchesPod = (other) => matchers.every((one) => one(other));
  const key = `all of ${terms.map((term) => termKey(term, pod.namespace)).join(" ")}`;
  const near = terms.map((term) => othersNear(input, term, key, matches));
  const isOnly = matches(pod) && near.every(({ total }) => total === 0);
  const inOwn = (node: NodeSnapshot) => terms.every((term) => sharesDomain(cluster, pod.node, node, term));
  return [
    (node) => {
      const lonely = near.find(({ isNear }) => !isNear(node));
      if (lonely === undefined || (isOnly && inOwn(node))) return undefined;
      return {
        reason: "PodAffinity",
        message: `none of the pods that the pod wants near is in the node's ${lonely.topologyKey}`,
      };
    },
  ];
}

interface Near {
  topologyKey: string;
  /** Pods other than the one that asks, wherever. */
  total: number;
  isNear(node: NodeSnapshot): boolean;
}

function othersNear({ pod, cluster, arrivals }: RuleInput, term: PodTerm, key: string, matches: MatchesPod): Near {
  const { topologyKey } = term;
  const running = neighboursIn(cluster).whereRun({ key, topologyKey, matches, selector: term.labelSelector });
  const { leaving } = domainChanges(cluster, arrivals, topologyKey, matches);
  const own = matches(pod) ? domainOfPod(cluster, pod, topologyKey) : undefined;
  const itself = (domain: string) => (domain === own ? 1 : 0);
  const total = [...running].reduce((sum, [domain, count]) => sum + count - itself(domain), 0);
  return {
    topologyKey,
    total,
    isNear(node) {
      const domain = domainOf(node, topologyKey);
      return domain !== undefined && at(running, domain) - at(leaving, domain) - itself(domain) > 0;
    },
  };
}

function sharesDomain(cluster: Cluster, from: string, node: NodeSnapshot, { topologyKey }: PodTerm): boolean {
  const domain = domainOf(node, topologyKey);
  return domain !== undefined && domain === domainOf(cluster.node(from)?.snapshot, topologyKey);
}
