/** What the roll-out decides on, from the agents' pods, their reports and the moves under way. Pure. */
import type { Turn } from "../../agent/protocol.ts";
import { FINAL_PHASES, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import type { Pod } from "../../kube/resources.ts";
import type { NodeReport } from "../node-reports/report.ts";
import type { Candidate } from "./decide.ts";

/** An agent that is silent for longer, while its node is being prepared, counts as a failure. */
const LOST_MS = 60_000;
const REVISION_LABEL = "controller-revision-hash";

export interface KnownNode {
  node: string;
  /** Its agent's; undefined: it has just gone, and another one may come. */
  pod: Pod | undefined;
  report: NodeReport;
  /** Why its agent has just refused a turn. */
  refusal: string | undefined;
}

export function candidateOf(known: KnownNode, moving: ReadonlySet<string>, nowMs: number): Candidate {
  const { node, pod, report, refusal } = known;
  return {
    node,
    revision: pod?.metadata.labels?.[REVISION_LABEL],
    turn: turnOf(report, nowMs),
    handlerInstalled: report.features?.handlerInstalled ?? false,
    hindrance: moving.has(node) ? "a move from or to it is under way" : refusal,
  };
}

/** A silent agent still is where it was when it began something; it can't begin anything. */
export function turnOf({ features, silent, last }: NodeReport, nowMs: number): Turn | undefined {
  if (features !== undefined) return features.turn;
  if (last?.turn.state === "failed") return last.turn;
  if (last?.turn.state !== "preparing") return undefined;
  if (nowMs - Date.parse(last.time) <= LOST_MS) return last.turn;
  return {
    state: "failed",
    message: `its agent has not answered since ${last.time}, when it was being prepared: ${silent}`,
  };
}

/** Sources and targets of the moves that have begun and not ended. */
export function movingNodes(moves: readonly PodMigration[]): Set<string> {
  const begun = moves.filter(
    ({ spec, status }) => !spec.dryRun && status?.startTime !== undefined && !FINAL_PHASES.has(status.phase),
  );
  return new Set(begun.flatMap(({ status }) => [status?.sourceNode, status?.targetNode].flatMap((node) => node ?? [])));
}
