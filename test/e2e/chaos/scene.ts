/** Where a seed takes place: the cluster, what the tests see of it, and what has struck so far. */
import type { Cluster } from "../cluster/cluster.ts";
import { type Api, allMigrationsPath } from "../harness/api.ts";
import { FINAL_PHASES, type Migration } from "../harness/moves.ts";
import { type Watch, watch } from "../harness/watch.ts";
import type { Witness } from "../harness/witness.ts";
import type { StruckFault } from "./record.ts";
import { Timeline } from "./timeline.ts";

export interface Scene {
  cluster: Cluster;
  api: Api;
  witness: Witness;
  timeline: Timeline;
  moves: MoveWatch;
  struck: StruckFault[];
  /** The move towards whose phase a controller is being held (see ./steering.ts). */
  steered: string | undefined;
}

/** Where a workload's objects are. Its namespace is its own. */
export interface Placed {
  name: string;
  namespace: string;
}

const ORDER = ["Pending", "Preflight", "Preparing", "Frozen", "Restoring", "Committed"];

export interface WatchedMove {
  phases: { phase: string; atMs: number }[];
  latest: Migration;
}

/** All moves of the cluster, and when the watch told of each phase: some tens of milliseconds after it was written. */
export class MoveWatch {
  readonly #moves = new Map<string, WatchedMove>();
  readonly #waiting = new Set<() => void>();
  readonly #watch: Watch<Migration>;

  constructor(api: Api, timeline: Timeline) {
    this.#watch = watch<Migration>(api, allMigrationsPath, ({ atMs, object }) => {
      const { namespace, name } = object.metadata;
      const move = this.#moves.get(`${namespace}/${name}`) ?? { phases: [], latest: object };
      this.#moves.set(`${namespace}/${name}`, move);
      move.latest = object;
      const phase = object.status?.phase;
      if (!phase || move.phases.at(-1)?.phase === phase) return;
      move.phases.push({ phase, atMs });
      const why = object.status?.message ? `: ${object.status.message}` : "";
      timeline.add(`${namespace}/${name}`, `${phase}${why}`, atMs);
      for (const wake of [...this.#waiting]) wake();
    });
  }

  get(namespace: string, name: string): WatchedMove | undefined {
    return this.#moves.get(`${namespace}/${name}`);
  }

  /** As the watch told it last. */
  all(): WatchedMove[] {
    return [...this.#moves.values()];
  }

  isEnded(namespace: string, name: string): boolean {
    return FINAL_PHASES.includes(this.get(namespace, name)?.latest.status?.phase ?? "");
  }

  /** Resolves when the move is in the phase or past it: with the phase that it is in, or undefined when the time is up. */
  reaches(namespace: string, name: string, phase: string, limitMs: number): Promise<string | undefined> {
    const now = (): string | undefined => {
      const current = this.get(namespace, name)?.latest.status?.phase ?? "";
      return ORDER.indexOf(current) >= 0 && ORDER.indexOf(current) < ORDER.indexOf(phase)
        ? undefined
        : current || undefined;
    };
    return new Promise((resolve) => {
      const look = (): void => {
        const found = now();
        if (found) leave(found);
      };
      const leave = (found: string | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => leave(undefined), limitMs);
      this.#waiting.add(look);
      look();
    });
  }

  stop(): void {
    this.#watch.stop();
  }
}

export function newScene(cluster: Cluster, api: Api, witness: Witness): Scene {
  const timeline = new Timeline();
  return {
    cluster,
    api,
    witness,
    timeline,
    moves: new MoveWatch(api, timeline),
    struck: [],
    steered: undefined,
  };
}
