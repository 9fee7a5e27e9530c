/** Pods on the move, under way or planned in this evaluation: they still run where they leave, and will run where they go. */
import type { Cluster } from "../cluster.ts";
import type { NodeSnapshot, PodSnapshot } from "../snapshot.ts";
import { at, domainOf } from "./neighbours.ts";

export interface Arrival {
  pod: PodSnapshot;
  /** Name of the node it goes to. */
  to: string;
}

/** Never changed: with each move planned there is a new one. */
export type Arrivals = readonly Arrival[];

export const NO_ARRIVALS: Arrivals = [];

/** Of the pods that are chosen: how many come into a domain of a topology from another, and how many leave one for another. */
export interface DomainChanges {
  coming: ReadonlyMap<string, number>;
  leaving: ReadonlyMap<string, number>;
}

type Chosen = (pod: PodSnapshot) => boolean;

/** `counts`: nodes outside of it are in no domain. */
export function domainChanges(
  cluster: Cluster,
  arrivals: Arrivals,
  topologyKey: string,
  chosen: Chosen,
  counts: (node: NodeSnapshot) => boolean = () => true,
): DomainChanges {
  const coming = new Map<string, number>();
  const leaving = new Map<string, number>();
  const domain = (name: string) => {
    const node = cluster.node(name)?.snapshot;
    return node !== undefined && counts(node) ? domainOf(node, topologyKey) : undefined;
  };
  for (const { pod, to } of arrivals) {
    const [left, entered] = [domain(pod.node), domain(to)];
    if (left === entered || !chosen(pod)) continue;
    if (left !== undefined) leaving.set(left, at(leaving, left) + 1);
    if (entered !== undefined) coming.set(entered, at(coming, entered) + 1);
  }
  return { coming, leaving };
}
