/** Topology spread constraints that are not to be violated (DoNotSchedule). The pod itself is taken from where it runs. */
import type { Cluster } from "../cluster.ts";
import type { SpreadConstraint } from "../scheduling-rules.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import { domainChanges } from "./arrivals.ts";
import type { NodeRule, RuleInput } from "./neighbour-rules.ts";
import { at, type Domains, domainOf, neighboursIn } from "./neighbours.ts";
import { admitsNode } from "./node-affinity.ts";
import { type MatchesPod, termMatcher } from "./pod-term.ts";
import { untoleratedTaint } from "./tolerations.ts";

export function spreadRules(input: RuleInput): NodeRule[] {
  return (input.pod.topologySpread ?? []).map((constraint) => spreadRule(input, constraint));
}

/** Selected pods in the node's domain, this one with them, may exceed those in the emptiest domain by maxSkew. */
function spreadRule({ pod, cluster, arrivals }: RuleInput, constraint: SpreadConstraint): NodeRule {
  const { topologyKey, maxSkew } = constraint;
  const matches = selected(pod, constraint);
  const counts = countedNodes(pod, constraint);
  const key = countKey(pod, constraint);
  const selector = constraint.labelSelector;
  const running = neighboursIn(cluster).whereRun({ key, topologyKey, matches, selector, counts });
  const { coming, leaving } = domainChanges(cluster, arrivals, topologyKey, matches, counts);
  const itself = matches(pod) ? 1 : 0;
  const own = itself === 1 ? ownDomain(cluster, pod, topologyKey, counts) : undefined;
  const without = (domain: string) => at(running, domain) - (domain === own ? 1 : 0);
  const fewest = fewestIn(running, constraint, (domain) => without(domain) - at(leaving, domain), [
    ...leaving.keys(),
    ...(own === undefined ? [] : [own]),
  ]);
  return (node) => {
    const domain = domainOf(node, topologyKey);
    if (domain === undefined) return { reason: "TopologySpread", message: `the node has no label ${topologyKey}` };
    const skew = without(domain) + at(coming, domain) + itself - fewest;
    if (skew <= maxSkew) return undefined;
    const message = `${topologyKey}=${domain} would have ${skew} more of its kind than another, at most ${maxSkew} is allowed`;
    return { reason: "TopologySpread", message };
  };
}

/** Of the pod's own namespace; pods that are being deleted no longer count. */
function selected({ namespace }: PodSnapshot, { labelSelector }: SpreadConstraint): MatchesPod {
  const matches = termMatcher(labelSelector === undefined ? {} : { labelSelector }, namespace);
  return (other) => other.terminating !== true && matches(other);
}

/** Nodes must have the labels of all of the pod's constraints to count for any. */
function countedNodes(pod: PodSnapshot, constraint: SpreadConstraint): (node: NodeSnapshot) => boolean {
  const { nodeAffinityPolicy = "Honor", nodeTaintsPolicy = "Ignore" } = constraint;
  const keys = (pod.topologySpread ?? []).map(({ topologyKey }) => topologyKey);
  return (node) =>
    keys.every((key) => domainOf(node, key) !== undefined) &&
    (nodeAffinityPolicy === "Ignore" || admitsNode(pod, node)) &&
    (nodeTaintsPolicy === "Ignore" || untoleratedTaint(pod, node) === undefined);
}

function countKey(pod: PodSnapshot, { labelSelector, nodeAffinityPolicy, nodeTaintsPolicy }: SpreadConstraint): string {
  const nodes = nodeAffinityPolicy === "Ignore" ? null : [pod.nodeSelector, pod.affinity?.nodeTerms];
  const tolerated = nodeTaintsPolicy === "Honor" ? pod.tolerations : null;
  const keys = pod.topologySpread?.map(({ topologyKey }) => topologyKey);
  return JSON.stringify(["spread", pod.namespace, labelSelector, keys, nodes, tolerated]);
}

function ownDomain(
  cluster: Cluster,
  pod: PodSnapshot,
  topologyKey: string,
  counts: (node: NodeSnapshot) => boolean,
): string | undefined {
  const node = cluster.node(pod.node)?.snapshot;
  return node !== undefined && pod.terminating !== true && counts(node) ? domainOf(node, topologyKey) : undefined;
}

const LEAST = new WeakMap<Domains, number>();

/** `lowered`: domains whose number is less than what runs there now; no other's is. */
function fewestIn(
  running: Domains,
  { minDomains = 1 }: SpreadConstraint,
  number: (domain: string) => number,
  lowered: readonly string[],
): number {
  if (running.size < minDomains) return 0;
  const least = LEAST.get(running) ?? [...running.values()].reduce((low, count) => Math.min(low, count), Infinity);
  LEAST.set(running, least);
  return Math.min(least, ...lowered.map(number));
}
