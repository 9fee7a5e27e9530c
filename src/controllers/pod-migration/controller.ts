/** The PodMigration controller: which objects it is about, what else makes it look at them again, and which of them may not wait. */

import { admitted, parseDuration } from "../../api/quantity.ts";
import { LINEAGE_LABEL, MOVE_LABEL } from "../../api/v1alpha1/group.ts";
import { FINAL_PHASES, POD_MIGRATIONS, type PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import { KubeError, type ObjectRef } from "../../kube/client.ts";
import {
  BY_POD_UID,
  type Controller,
  type ControllerContext,
  ownKey,
  type ReconcileResult,
  refOf,
  type Stores,
  watchRule,
} from "../../kube/controller.ts";
import { PODS, type Pod } from "../../kube/resources.ts";
import type { MoveDependencies, Refusal } from "./dependencies.ts";
import { reconcileMove } from "./reconciler.ts";
import { isMove, type LastSeen } from "./run.ts";
import { type MoveCaps, queuedBehind } from "./waiting-line.ts";

/** Moves that begin or have ended, side by side. Those in between are urgent: each has a worker of its own. */
const CONCURRENCY = 16;
/** How soon a move that waits for others to end looks again. */
const QUEUE_LOOK_MS = 2_000;
/** What a reconcile may take beyond the move's own timeout: phases' limits, the clean-up of both nodes. */
const BEYOND_TIMEOUT_MS = 1_800_000;

export type MoveSurroundings = Pick<MoveDependencies, "driver" | "choosePlacement" | "expectFreeze"> & {
  caps: MoveCaps;
};

export function podMigrationController(context: ControllerContext, outside: MoveSurroundings): Controller {
  const { client, clock, events, logger, namespace, stores } = context;
  const { caps, ...parts } = outside;
  const deps = { client, clock, events, logger, namespace, ...parts };
  const lastSeen = remembering();
  const movesOf = (pod: Pod) => stores.podMigrations.byIndex(BY_POD_UID, pod.metadata.uid ?? "").map(refOf);
  return {
    name: "pod-migration",
    watches: [ownKey(POD_MIGRATIONS), watchRule({ kind: PODS, keys: (pod) => (concerns(pod) ? movesOf(pod) : []) })],
    concurrency: CONCURRENCY,
    isUrgent: (key) => isUnderWay(stores.podMigrations.get(key)),
    longestMs: (key) => timeoutMs(stores.podMigrations.get(key)) + BEYOND_TIMEOUT_MS,
    async reconcile(key, term) {
      const move = stores.podMigrations.get(key);
      const behind = move && queuedBehind(move, lineOf(stores, caps));
      return behind ? waitInLine(context, move, behind) : reconcileMove(deps, key, term, lastSeen(key, move));
    },
  };
}

/** What is known of a move outlives its runs; of one that this controller has not touched yet the store knows best. */
function remembering(): (key: ObjectRef, move: PodMigration | undefined) => LastSeen {
  const known = new Map<string, LastSeen>();
  return (key, move) => {
    const id = `${key.namespace}/${key.name}`;
    if (!isUnderWay(move)) {
      known.delete(id);
      return {};
    }
    const seen = known.get(id);
    if (seen?.move?.metadata.uid === move?.metadata.uid && seen !== undefined) return seen;
    const fresh: LastSeen = move !== undefined && isMove(move) ? { move } : {};
    known.set(id, fresh);
    return fresh;
  };
}

/** Moves wait for their pods to start, to be ready and to be gone. */
function concerns(pod: Pod): boolean {
  const labels = pod.metadata.labels ?? {};
  return MOVE_LABEL in labels || LINEAGE_LABEL in labels || pod.metadata.deletionTimestamp !== undefined;
}

/** Something has been touched, or is about to be: its pod may be frozen, or its copy wait for its release. */
function isUnderWay(move: PodMigration | undefined): boolean {
  const phase = move?.status?.phase ?? "Pending";
  return phase !== "Pending" && !FINAL_PHASES.has(phase);
}

function timeoutMs(move: PodMigration | undefined): number {
  return move === undefined ? 0 : admitted(parseDuration, move.spec.timeout) * 1000;
}

function lineOf({ podMigrations, pods }: Stores, caps: MoveCaps) {
  const podNode = ({ metadata, spec }: PodMigration) =>
    pods.get({ name: spec.podName, ...(metadata.namespace ? { namespace: metadata.namespace } : {}) })?.spec.nodeName;
  const nodesOf = (move: PodMigration) =>
    [move.status?.sourceNode ?? podNode(move), move.status?.targetNode ?? move.spec.targetNode].filter(
      (node) => node !== undefined,
    );
  return { moves: podMigrations.list(), nodesOf, caps };
}

/** Says in the status why it waits. Its start time, from which its limits run, is left open. */
async function waitInLine(
  { client }: ControllerContext,
  move: PodMigration,
  { reason, message }: Refusal,
): Promise<ReconcileResult> {
  if (move.status?.message !== message) await say(client, move, { phase: "Pending", reason, message });
  return { requeueAfterMs: QUEUE_LOOK_MS };
}

async function say(client: ControllerContext["client"], move: PodMigration, status: object): Promise<void> {
  const { resourceVersion } = move.metadata;
  const ref: ObjectRef = refOf(move);
  try {
    await client.patch(POD_MIGRATIONS, ref, { metadata: { resourceVersion }, status }, { subresource: "status" });
  } catch (error) {
    // It was changed or deleted meanwhile: the next look is at what is there then.
    if (!(error instanceof KubeError && (error.reason === "Conflict" || error.reason === "NotFound"))) throw error;
  }
}
