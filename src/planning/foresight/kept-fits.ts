/**
 * Fits kept from one evaluation to the next: a series that has a few new samples needs few new ones. They save time and nothing else: without them
 * every decision is the same.
 */
import type { Cluster } from "../cluster.ts";
import { SeriesFits } from "../forecast/fits.ts";
import type { ForecastOwner } from "./calibrations.ts";

/** `nodesBefore`: nodes' series up to a step in them. */
export type SeriesKind = "nodes" | "nodesBefore" | "pods";

export class KeptFits {
  readonly #kept = new Map<string, Record<SeriesKind, Map<string, SeriesFits>>>();

  /** Of the series of one metrics source, for one horizon. `id`: a node's name or a pod's UID. */
  of(owner: ForecastOwner, kind: SeriesKind, id: string): SeriesFits {
    const known = this.#ofOwner(keyOf(owner))[kind];
    let fits = known.get(id);
    if (fits === undefined) {
      fits = new SeriesFits(owner.horizonSeconds);
      known.set(id, fits);
    }
    return fits;
  }

  /** Keeps those of series that are still there and of policies that still forecast. */
  prune(cluster: Cluster, owners: readonly ForecastOwner[]): void {
    const keys = new Set(owners.map(keyOf));
    for (const [key, { nodes, nodesBefore, pods }] of this.#kept) {
      if (!keys.has(key)) this.#kept.delete(key);
      for (const name of nodes.keys()) if (cluster.node(name) === undefined) nodes.delete(name);
      for (const name of nodesBefore.keys()) if (cluster.node(name) === undefined) nodesBefore.delete(name);
      for (const uid of pods.keys()) if (cluster.pod(uid) === undefined) pods.delete(uid);
    }
  }

  #ofOwner(key: string): Record<SeriesKind, Map<string, SeriesFits>> {
    let known = this.#kept.get(key);
    if (known === undefined) {
      known = { nodes: new Map(), nodesBefore: new Map(), pods: new Map() };
      this.#kept.set(key, known);
    }
    return known;
  }
}

const keyOf = ({ source, horizonSeconds }: ForecastOwner) => `${source} ${horizonSeconds}`;
