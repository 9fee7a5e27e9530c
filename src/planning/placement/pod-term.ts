/** Which pods a term of pod affinity, or a spread constraint, is about. */

import type { PodTerm } from "../scheduling-rules.ts";
import { labelMatcher } from "../selector.ts";
import type { PodSnapshot } from "../snapshot.ts";

/** What of a pod a term looks at. */
export type Matchable = Pick<PodSnapshot, "namespace" | "labels" | "namespaceLabels">;
export type MatchesPod = (pod: PodSnapshot) => boolean;

/** Equal for terms that select the same pods, `namespace` being that of the pod that has the term. */
export function termKey(term: Omit<PodTerm, "topologyKey">, namespace: string): string {
  const { labelSelector, namespaces = [], namespaceSelector } = term;
  const own = namespaces.length === 0 && namespaceSelector === undefined ? namespace : "";
  return JSON.stringify([labelSelector ?? null, namespaces, namespaceSelector ?? null, own]);
}

export function termMatcher(term: Omit<PodTerm, "topologyKey">, namespace: string): (pod: Matchable) => boolean {
  const { labelSelector, namespaces = [], namespaceSelector } = term;
  if (labelSelector === undefined) return () => false;
  const matchesLabels = labelMatcher(labelSelector);
  const listed = new Set(namespaces.length === 0 && namespaceSelector === undefined ? [namespace] : namespaces);
  const matchesNamespace = namespaceSelector && labelMatcher(namespaceSelector);
  return (pod) =>
    (listed.has(pod.namespace) || matchesNamespace?.(pod.namespaceLabels) === true) && matchesLabels(pod.labels);
}
