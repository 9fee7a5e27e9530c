/**
 * Who runs beside whom: in which domain of a topology the pods of a selection run. Read once for a cluster, and only as far as some
 * pod's rules ask for it.
 */
import type { LabelSelector } from "../../api/v1alpha1/fields.ts";
import type { Cluster } from "../cluster.ts";
import { compareText } from "../order.ts";
import type { PodTerm } from "../scheduling-rules.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import { indexByLabel, type LabelIndex } from "./label-index.ts";
import { type Matchable, type MatchesPod, termKey, termMatcher } from "./pod-term.ts";

/** Numbers of pods by the domain's name. */
export type Domains = ReadonlyMap<string, number>;

/** A term of required anti-affinity that pods have, and where they run. */
export interface RepellingTerm {
  key: string;
  topologyKey: string;
  selector: LabelSelector | undefined;
  matches: (pod: Matchable) => boolean;
  holders: Domains;
}

export interface DomainQuery {
  /** Equal for equal pods and nodes. */
  key: string;
  topologyKey: string;
  matches: MatchesPod;
  /** All that match are selected by it. */
  selector: LabelSelector | undefined;
  /** Nodes that count; their domains are all in the answer, with 0 where no pod is. Absent: all, and only domains with pods are told. */
  counts?: (node: NodeSnapshot) => boolean;
}

export interface Neighbours {
  /** How many pods match in each domain; nodes without the topology's label are in none. */
  whereRun(query: DomainQuery): Domains;
  /** No pod keeps others away. */
  peaceful: boolean;
  /** Terms that may select a pod of these labels, in a fixed order. */
  repelling(labels: Matchable["labels"]): readonly RepellingTerm[];
}

/** The same for pods that have the same term. */
export const repellingKey = (term: PodTerm, namespace: string) => `${term.topologyKey} ${termKey(term, namespace)}`;

export function domainOf(node: NodeSnapshot | undefined, topologyKey: string): string | undefined {
  return node !== undefined && Object.hasOwn(node.labels, topologyKey) ? node.labels[topologyKey] : undefined;
}

export const at = (domains: Domains, domain: string): number => domains.get(domain) ?? 0;

/** Name of the domain that the pod runs in. */
export function domainOfPod(cluster: Cluster, pod: PodSnapshot, topologyKey: string): string | undefined {
  return domainOf(cluster.node(pod.node)?.snapshot, topologyKey);
}

const KNOWN = new WeakMap<Cluster, Neighbours>();

/** A cluster is never changed, so what was read of it stays. */
export function neighboursIn(cluster: Cluster): Neighbours {
  const known = KNOWN.get(cluster) ?? readNeighbours(cluster);
  KNOWN.set(cluster, known);
  return known;
}

function readNeighbours(cluster: Cluster): Neighbours {
  const counted = new Map<string, Domains>();
  const terms = repellingTerms(cluster);
  const termsByLabel = indexByLabel(terms.values(), ({ selector }) => selectedLabels(selector));
  let pods: LabelIndex<PodSnapshot> | undefined;
  return {
    whereRun(query) {
      const key = `${query.topologyKey} ${query.key}`;
      pods ??= indexByLabel(
        cluster.nodes.flatMap(({ podsUnordered }) => podsUnordered),
        ({ labels }) => labels,
      );
      const known = counted.get(key) ?? count(cluster, pods, query);
      counted.set(key, known);
      return known;
    },
    peaceful: terms.size === 0,
    repelling: (labels) => termsByLabel.sharing(labels).toSorted((a, b) => compareText(a.key, b.key)),
  };
}

const selectedLabels = (selector: LabelSelector | undefined) => selector?.matchLabels ?? {};

function count(cluster: Cluster, pods: LabelIndex<PodSnapshot>, query: DomainQuery): Domains {
  const { topologyKey, matches, counts } = query;
  const domains = counts === undefined ? new Map<string, number>() : emptyDomains(cluster, topologyKey, counts);
  for (const pod of pods.having(selectedLabels(query.selector))) {
    if (!matches(pod)) continue;
    const node = cluster.node(pod.node)?.snapshot;
    const domain = domainOf(node, topologyKey);
    if (node === undefined || domain === undefined || counts?.(node) === false) continue;
    domains.set(domain, at(domains, domain) + 1);
  }
  return domains;
}

function emptyDomains(
  cluster: Cluster,
  topologyKey: string,
  counts: (node: NodeSnapshot) => boolean,
): Map<string, number> {
  const domains = new Map<string, number>();
  for (const { snapshot } of cluster.nodes) {
    const domain = domainOf(snapshot, topologyKey);
    if (domain !== undefined && counts(snapshot)) domains.set(domain, 0);
  }
  return domains;
}

function repellingTerms(cluster: Cluster): Map<string, RepellingTerm> {
  const terms = new Map<string, Omit<RepellingTerm, "holders"> & { holders: Map<string, number> }>();
  for (const { snapshot, podsUnordered } of cluster.nodes) {
    for (const { affinity, namespace } of podsUnordered) {
      for (const term of affinity?.podAntiAffinity ?? []) {
        const domain = domainOf(snapshot, term.topologyKey);
        if (domain === undefined) continue;
        const key = repellingKey(term, namespace);
        const known = terms.get(key) ?? newTerm(key, term, namespace);
        known.holders.set(domain, at(known.holders, domain) + 1);
        terms.set(key, known);
      }
    }
  }
  return terms;
}

function newTerm(key: string, term: PodTerm, namespace: string) {
  const { topologyKey, labelSelector: selector } = term;
  return { key, topologyKey, selector, matches: termMatcher(term, namespace), holders: new Map<string, number>() };
}
