/** Policies that select none of the pods, or watch no node: labels are easily forgotten, and recordings have none. */
import { type Policy, toPolicy } from "../../planning/policy.ts";
import { matchesSelector } from "../../planning/selector.ts";
import type { NamedSpec, Variant } from "../../simulator/comparing/variants.ts";
import { namespaceLabelsOf } from "../../simulator/planning-facts.ts";
import type { SimulatedNode, SimulatedPod } from "../../simulator/scenario.ts";

type Pods = readonly SimulatedPod[];

/** A line for each such policy and each of the two. */
export function unmatched(variants: readonly Variant[], pods: Pods, nodes: readonly SimulatedNode[]): string[] {
  const policies = variants.flatMap((variant) => (variant.role === "Policy" ? variant.policies : []));
  // Swept, a policy is there several times.
  return [...new Set(policies.flatMap((policy) => unmatchedOne(policy, pods, nodes)))];
}

function unmatchedOne({ name, spec }: NamedSpec, pods: Pods, nodes: readonly SimulatedNode[]): string[] {
  const policy = toPolicy(name, spec);
  const lines: string[] = [];
  if (!pods.some((pod) => selects(policy, pod))) {
    lines.push([`policy ${name} selects none of the ${pods.length} pods`, ...hints(spec, pods)].join("; "));
  }
  if (!nodes.some(({ labels = {} }) => policy.watchesNode({ labels }))) {
    const why = "its nodeLabelSelector matches none of their labels, which a --cluster file can give";
    lines.push(`policy ${name} watches none of the ${nodes.length} nodes: ${why}`);
  }
  return lines;
}

function selects(policy: Policy, pod: SimulatedPod): boolean {
  return policy.selectsPod({ labels: pod.labels, namespaceLabels: namespaceLabelsOf(pod) });
}

/** Which of the selectors it is, and what helps. */
function hints({ podSelector, namespaceSelector }: NamedSpec["spec"], pods: Pods): string[] {
  const labelled = pods.filter((pod) => matchesSelector(podSelector, pod.labels));
  const candidates = labelled.length > 0 ? labelled : pods;
  const outside = !candidates.some((pod) => matchesSelector(namespaceSelector, namespaceLabelsOf(pod)));
  return [
    ...(labelled.length === 0 ? labelsHint(podSelector.matchLabels) : []),
    ...(outside ? [namespacesHint(candidates, candidates.length < pods.length)] : []),
  ];
}

function labelsHint(matchLabels: Readonly<Record<string, string>> = {}): string[] {
  const wanted = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  return wanted.length > 0 ? [`--labels ${wanted.join(",")} puts its labels on every pod`] : [];
}

/** So many are named. */
const NAMESPACES = 3;

function namespacesHint(pods: Pods, some: boolean): string {
  const names = [...new Set(pods.map(({ namespace }) => namespace))];
  const told = `(${[...names.slice(0, NAMESPACES), ...(names.length > NAMESPACES ? ["…"] : [])].join(", ")})`;
  return some
    ? `its namespaceSelector matches none of the namespaces ${told} of those that its podSelector matches`
    : `its namespaceSelector matches none of their namespaces ${told}`;
}
