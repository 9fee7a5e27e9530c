/** Node selector and required node affinity, as the scheduler matches them. */
import type { Reason } from "../decision.ts";
import type { NodeRequirement, NodeTerm } from "../scheduling-rules.ts";
import { labelValue, meets } from "../selector.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";

/** Whether the pod's node selector and its required node affinity admit the node. */
export function admitsNode(pod: PodSnapshot, node: NodeSnapshot): boolean {
  return nodeAffinityRefusal(pod, node) === undefined;
}

export function nodeAffinityRefusal(pod: PodSnapshot, node: NodeSnapshot): Reason | undefined {
  const missing = Object.entries(pod.nodeSelector).find(([key, value]) => node.labels[key] !== value);
  if (missing !== undefined) {
    return { reason: "NodeSelectorMismatch", message: `the pod wants a node with ${missing.join("=")}` };
  }
  const terms = pod.affinity?.nodeTerms;
  if (terms === undefined || terms.some((term) => meetsTerm(node, term))) return undefined;
  const wanted = terms.map(termText).join(", or ");
  return {
    reason: "NodeAffinity",
    message: `the pod requires a node with ${wanted === "" ? "what none has" : wanted}`,
  };
}

function meetsTerm(node: NodeSnapshot, { matchExpressions = [], matchFields = [] }: NodeTerm): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((one) => meetsRequirement(labelValue(node.labels, one.key), one)) &&
    matchFields.every((one) => meetsRequirement(one.key === "metadata.name" ? node.name : undefined, one))
  );
}

/** A label selector's operators, and two more. */
function meetsRequirement(value: string | undefined, { operator, values = [] }: NodeRequirement): boolean {
  if (operator === "Gt" || operator === "Lt") return compares(operator, wholeNumber(value), wholeNumber(values[0]));
  return meets(value, { operator, values });
}

function compares(operator: "Gt" | "Lt", value: bigint | undefined, bound: bigint | undefined): boolean {
  if (value === undefined || bound === undefined) return false;
  return operator === "Gt" ? value > bound : value < bound;
}

/** As the scheduler reads it, in 64 bits; what is no whole number compares to nothing. */
function wholeNumber(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[+-]?\d{1,18}$/.test(text) ? BigInt(text.replace("+", "")) : undefined;
}

function termText({ matchExpressions = [], matchFields = [] }: NodeTerm): string {
  return [...matchExpressions, ...matchFields]
    .map(({ key, operator, values = [] }) =>
      [key, operator, ...(values.length > 0 ? [values.join("|")] : [])].join(" "),
    )
    .join(" and ");
}
