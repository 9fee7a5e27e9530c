/** What may speak against a move once the source's node has answered. Pure predicates, in the order in which they are asked. */
import type { Pod } from "../../../kube/resources.ts";
import type { Refusal } from "../dependencies.ts";
import { predictedFreezeMs } from "./cost.ts";
import type { SourceAnswers } from "./gather.ts";
import { livenessForgivesMs, swapDelayMs } from "./probes.ts";

export interface SourceSide extends SourceAnswers {
  pod: Pod;
  tcp: "Refuse" | "Close";
}

type Check = (side: SourceSide) => Refusal | undefined;

export function sourceRefusal(side: SourceSide): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(side);
    if (refusal) return refusal;
  }
  return undefined;
}

const containerRuns: Check = ({ facts }) =>
  facts.running
    ? undefined
    : { reason: "ContainerNotRunning", message: "its node's agent finds the container not running" };

/** Open devices, huge pages, a terminal: what only the node sees. */
const noObstacles: Check = ({ facts }) => {
  const [first] = facts.obstacles;
  if (first === undefined) return undefined;
  return { reason: first.reason, message: facts.obstacles.map((obstacle) => obstacle.message).join("; ") };
};

const noEstablishedTcp: Check = ({ facts, tcp }) => {
  if (tcp === "Close" || facts.establishedTcp.length === 0) return undefined;
  const some = facts.establishedTcp.slice(0, 3).join(", ");
  return {
    reason: "EstablishedTcp",
    message: `it has established TCP connections (${some}): with spec.tcp Close the move closes them`,
  };
};

const livenessForgives: Check = ({ pod, facts }) => {
  const forgivenMs = livenessForgivesMs(pod);
  const freezeMs = predictedFreezeMs(facts);
  if (forgivenMs === undefined || freezeMs < forgivenMs) return undefined;
  return {
    reason: "LivenessProbe",
    message: `it would be frozen for about ${seconds(freezeMs)}, its liveness probe forgives ${seconds(forgivenMs)}`,
  };
};

/** A ReplicaSet's source stays frozen until the copy is ready or itself isn't: its liveness probe must bear that, too. */
const livenessForgivesSwap: Check = ({ pod, facts }) => {
  const forgivenMs = livenessForgivesMs(pod);
  const owned = pod.metadata.ownerReferences?.some((owner) => owner.kind === "ReplicaSet") ?? false;
  const neededMs = predictedFreezeMs(facts) + swapDelayMs(pod);
  if (!owned || forgivenMs === undefined || neededMs < forgivenMs) return undefined;
  return {
    reason: "LivenessProbe",
    message: `handing it over takes about ${seconds(neededMs)} because of its readiness probe, its liveness probe forgives ${seconds(forgivenMs)}`,
  };
};

const CHECKS: readonly Check[] = [containerRuns, noObstacles, noEstablishedTcp, livenessForgives, livenessForgivesSwap];

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
