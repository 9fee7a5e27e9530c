/** What the PodMigration controller needs from outside. All I/O, time and chance come in here. */
import type { CheckpointDriver } from "../../checkpointing/driver.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Pod } from "../../kube/resources.ts";
import type { Logger } from "../../logging/logger.ts";
import type { FreezeCosts } from "../../planning/cost/freeze-costs.ts";
import type { StagedSize } from "../../planning/staging.ts";

/** A refusal with a stable CamelCase reason. */
export interface Refusal {
  reason: string;
  message: string;
}

export interface PlacementRequest {
  pod: Pod;
  /** As its node's agent has measured it. */
  size: StagedSize;
  /** Only this node, if it fits. */
  targetNode: string | undefined;
}

export type PlacementAnswer = { ok: true; node: string } | ({ ok: false } & Refusal);

/** Planning's feasibility filter and placement, over the cluster as it is now, moves in flight included. */
export type ChoosePlacement = (request: PlacementRequest) => Promise<PlacementAnswer>;

/** How long a move freezes its pod, by this cluster's finished moves and those that are under way now. */
export type ExpectFreeze = FreezeCosts["expect"];

export interface MoveDependencies {
  client: KubeClient;
  driver: CheckpointDriver;
  clock: Clock;
  events: EventRecorder;
  logger: Logger;
  choosePlacement: ChoosePlacement;
  expectFreeze: ExpectFreeze;
  /** Headroom's own namespace: nothing in it is ever moved. */
  namespace: string;
}
