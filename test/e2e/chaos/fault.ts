/** What a fault is: how it is brought about, and what it may take with it. */
import type { Machine } from "../cluster/machine.ts";
import type { Undo } from "../harness/faults.ts";
import type { EndedByFault } from "./record.ts";
import type { Scene } from "./scene.ts";
import type { FaultFacts, Kind } from "./schedule.ts";

/** A move that is to be struck. */
export interface Aim {
  scene: Scene;
  kind: Kind;
  workload: string;
  namespace: string;
  /** The PodMigration's name, and the pod that it moves. */
  move: string;
  podName: string;
  source: Machine;
  target: Machine;
  /** How long the fault is to stay. */
  seconds: number;
}

export type { Undo };

export interface Strike {
  undo?: Undo;
  /** Workloads that it takes away on purpose, beside the aimed one. */
  alsoEnds?: string[];
  nodeKilled?: string;
  /** Besides what the fault silences by itself: what the leading controller, where it is just now, does not reach. */
  silences?: NonNullable<Fault["silences"]>;
}

export interface Fault extends FaultFacts {
  /** A sentence. */
  about: string;
  /** The agents of these nodes, or the API server, do not answer while the fault lasts. */
  silences?: ("source" | "target" | "api")[];
  /** Controllers begin anew: what they counted is gone. */
  controllers?: boolean;
  /** It takes the pod away on purpose. */
  ends?: Omit<EndedByFault, "workload">;
  /** Looks up what it needs. The answer strikes, within some tens of milliseconds; undefined: there was nothing to strike at. */
  prepare(aim: Aim): Promise<() => Promise<Strike | undefined>>;
}
