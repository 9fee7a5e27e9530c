/** What the PodMigration controller needs from outside. All I/O, time and chance come in here. */
import type { CheckpointDriver } from "../../checkpointing/driver.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Logger } from "../../logging/logger.ts";

/** A refusal with a stable CamelCase reason. */
export interface Refusal {
  reason: string;
  message: string;
}

export interface PlacementRequest {
  pod: Pod;
  /** Memory that the pod will use on its target. */
  memoryBytes: number;
  /** What the move stages there in addition until it ends. */
  stagingBytes: number;
  /** Only this node, if it fits. */
  targetNode: string | undefined;
}

export type PlacementAnswer = { ok: true; node: string } | ({ ok: false } & Refusal);

/** Planning's feasibility filter and placement, over the cluster as it is now, moves in flight included. */
export type ChoosePlacement = (request: PlacementRequest) => Promise<PlacementAnswer>;

export interface MoveDependencies {
  client: KubeClient;
  driver: CheckpointDriver;
  clock: Clock;
  events: EventRecorder;
  logger: Logger;
  choosePlacement: ChoosePlacement;
  /** Headroom's own namespace: nothing in it is ever moved. */
  namespace: string;
}
