/** Required pod anti-affinity in both directions: that of the pod against those that run, and theirs against the pod. */
import { LINEAGE_LABEL, MOVE_LABEL } from "../../api/v1alpha1/group.ts";
import type { Cluster } from "../cluster.ts";
import type { PodSnapshot } from "../snapshot.ts";
import { type Arrivals, domainChanges } from "./arrivals.ts";
import type { NodeRule, RuleInput } from "./neighbour-rules.ts";
import {
  at,
  type Domains,
  domainOf,
  domainOfPod,
  neighboursIn,
  type RepellingTerm,
  repellingKey,
} from "./neighbours.ts";
import { type Matchable, termKey, termMatcher } from "./pod-term.ts";

/** No domain that has one of the pods that this one keeps away from. Nodes outside the topology are free to it. */
export function antiAffinityRules({ pod, cluster, arrivals }: RuleInput): NodeRule[] {
  return (pod.affinity?.podAntiAffinity ?? []).map((term) => {
    const { topologyKey } = term;
    const matches = termMatcher(term, pod.namespace);
    const key = termKey(term, pod.namespace);
    const running = neighboursIn(cluster).whereRun({ key, topologyKey, matches, selector: term.labelSelector });
    const { coming } = domainChanges(cluster, arrivals, topologyKey, matches);
    const own = matches(pod) ? domainOfPod(cluster, pod, topologyKey) : undefined;
    return (node) => {
      const domain = domainOf(node, topologyKey);
      if (domain === undefined) return undefined;
      const others = at(running, domain) + at(coming, domain) - (domain === own ? 1 : 0);
      if (others < 1) return undefined;
      const message = `the pod keeps away from ${others === 1 ? "a pod" : `${others} pods`} in ${topologyKey}=${domain}`;
      return { reason: "PodAntiAffinity", message };
    };
  });
}

/** No domain of a pod that keeps away from this one. */
export function repellingRules({ pod, cluster, arrivals }: RuleInput): NodeRule[] {
  const running = repelling(pod, cluster).map(({ key, topologyKey, holders, copy }) => {
    if (copy) return repelledFrom(topologyKey, holders);
    const domain = domainOfPod(cluster, pod, topologyKey);
    return repelledFrom(topologyKey, holders, { domain, terms: ownTerms(pod, key) });
  });
  return [...running, ...comingRules(pod, cluster, arrivals)];
}

type Repelling = RepellingTerm & {
  /** Also the pod's copy. */
  copy: boolean;
};

const KNOWN = new WeakMap<Cluster, Map<PodSnapshot, readonly Repelling[]>>();

/** Terms of pods that run which select the pod or its copy. */
function repelling(pod: PodSnapshot, cluster: Cluster): readonly Repelling[] {
  const ofCluster = KNOWN.get(cluster) ?? new Map<PodSnapshot, readonly Repelling[]>();
  KNOWN.set(cluster, ofCluster);
  const known = ofCluster.get(pod) ?? readRepelling(pod, cluster);
  ofCluster.set(pod, known);
  return known;
}

function readRepelling(pod: PodSnapshot, cluster: Cluster): readonly Repelling[] {
  const copy = copyOf(pod);
  return neighboursIn(cluster)
    .repelling({ ...pod.labels, ...copy.labels })
    .map((term) => ({ ...term, copy: term.matches(copy) }))
    .filter((term) => term.copy || term.matches(pod));
}

/**
 * The pod's copy as the scheduler sees it: without the pod's labels, and while the pod still runs. So a term that selects the copy repels
 * it even when the pod itself has the term.
 */
function copyOf({ namespace, namespaceLabels, lineage }: PodSnapshot): Matchable {
  return { namespace, namespaceLabels, labels: { [MOVE_LABEL]: "", [LINEAGE_LABEL]: lineage } };
}

function ownTerms({ affinity, namespace }: PodSnapshot, key: string): number {
  return (affinity?.podAntiAffinity ?? []).filter((term) => repellingKey(term, namespace) === key).length;
}

/** `own`: the pod's own terms among the holders, and where. */
function repelledFrom(
  topologyKey: string,
  holders: Domains,
  own: { domain: string | undefined; terms: number } = { domain: undefined, terms: 0 },
): NodeRule {
  return (node) => {
    const domain = domainOf(node, topologyKey);
    if (domain === undefined || at(holders, domain) - (domain === own.domain ? own.terms : 0) < 1) return undefined;
    return { reason: "PodAntiAffinity", message: `a pod in ${topologyKey}=${domain} keeps away from it` };
  };
}

/** Of pods on the way with terms of their own. */
function comingRules(pod: PodSnapshot, cluster: Cluster, arrivals: Arrivals): NodeRule[] {
  return arrivals.flatMap((arrival) =>
    (arrival.pod.affinity?.podAntiAffinity ?? [])
      .filter((term) => termMatcher(term, arrival.pod.namespace)(pod))
      .map(({ topologyKey }) => {
        const { coming } = domainChanges(cluster, [arrival], topologyKey, () => true);
        return repelledFrom(topologyKey, coming);
      }),
  );
}
