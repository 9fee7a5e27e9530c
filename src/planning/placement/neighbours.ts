/**
 * Who runs beside whom: in which domain of a topology the pods of a selection run. Read once for a cluster, and only as far as some
 * pod's rules ask for it.
 */
import type { Cluster } from "../cluster.ts";
import { compareText } from "../order.ts";
import type { PodTerm } from "../scheduling-rules.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import { type Matchable, type MatchesPod, termKey, termMatcher } from "./pod-term.ts";

/** Numbers of pods by the domain's name. */
export type Domains = ReadonlyMap<string, number>;

/** A term of required anti-affinity that pods have, and where they run. */
export interface RepellingTerm {
  topologyKey: string;
  matches: (pod: Matchable) => boolean;
  holders: Domains;
}

export interface Neighbours {
  /**
   * How many pods match in each domain of these nodes, 0 included; nodes without the topology's label are in none. `key` is equal for equal
   * pods and nodes.
   */
  whereRun(key: string, topologyKey: string, matches: MatchesPod, counts?: (node: NodeSnapshot) => boolean): Domains;
  /** By {@link repellingKey}, ascending. Empty where no pod keeps others away. */
  repelling: ReadonlyMap<string, RepellingTerm>;
}

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
  return {
    whereRun(key, topologyKey, matches, counts = () => true) {
      const own = `${topologyKey} ${key}`;
      const known = counted.get(own) ?? count(cluster, topologyKey, matches, counts);
      counted.set(own, known);
      return known;
    },
    repelling: repellingTerms(cluster),
  };
}

function count(
  cluster: Cluster,
  topologyKey: string,
  matches: MatchesPod,
  counts: (node: NodeSnapshot) => boolean,
): Domains {
  const domains = new Map<string, number>();
  for (const { snapshot, podsUnordered } of cluster.nodes) {
    const domain = domainOf(snapshot, topologyKey);
    if (domain === undefined || !counts(snapshot)) continue;
    let matching = 0;
    for (const pod of podsUnordered) if (matches(pod)) matching += 1;
    domains.set(domain, at(domains, domain) + matching);
  }
  return domains;
}

function repellingTerms(cluster: Cluster): Map<string, RepellingTerm> {
  const terms = new Map<string, Omit<RepellingTerm, "holders"> & { holders: Map<string, number> }>();
  for (const { snapshot, podsUnordered } of cluster.nodes) {
    for (const pod of podsUnordered) {
      for (const term of pod.affinity?.podAntiAffinity ?? []) {
        const domain = domainOf(snapshot, term.topologyKey);
        if (domain === undefined) continue;
        const key = repellingKey(term, pod.namespace);
        const known = terms.get(key) ?? newTerm(term, pod);
        known.holders.set(domain, at(known.holders, domain) + 1);
        terms.set(key, known);
      }
    }
  }
  return new Map([...terms].sort(([a], [b]) => compareText(a, b)));
}

function newTerm(term: PodTerm, { namespace }: PodSnapshot) {
  const { topologyKey } = term;
  return { topologyKey, matches: termMatcher(term, namespace), holders: new Map<string, number>() };
}
