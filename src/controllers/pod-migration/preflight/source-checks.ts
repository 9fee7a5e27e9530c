/** What may speak against a move once the source's node has answered. Pure predicates, in the order in which they are asked. */
import type { Refusal } from "../dependencies.ts";
import type { SourceAnswers } from "./gather.ts";

export interface SourceSide extends SourceAnswers {
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

const CHECKS: readonly Check[] = [containerRuns, noObstacles, noEstablishedTcp];
