/** Writes what a step came to: one status write, only if nothing else has changed the object since it was read. */
import { FINAL_PHASES, POD_MIGRATIONS, type PodMigration, PROGRAM_FAILED } from "../../api/v1alpha1/pod-migration.ts";
import { PODS } from "../../kube/resources.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { frozenFor } from "./freeze.ts";
import type { Outcome } from "./outcome.ts";
import { isMove, type Move } from "./run.ts";
import { statusAfter } from "./status.ts";

/**
 * The move with its status written. Rejects with a KubeError `Conflict` when the object has changed meanwhile: the caller
 * reads it anew and decides anew. Committed and RollingBack exclude each other by this alone.
 */
export async function record(deps: MoveDependencies, move: Move, outcome: Outcome): Promise<Move> {
  const status = statusAfter(move, move.status, outcome, deps.clock.now());
  if (JSON.stringify(status) === JSON.stringify(move.status)) return move;
  const written = await deps.client.replaceStatus(POD_MIGRATIONS, { ...move, status });
  if (outcome.kind === "advance") announce(deps, written);
  return begun(written);
}

/** The API server hands back what it was given: a status that has been begun. */
function begun(written: PodMigration): Move {
  if (isMove(written)) return written;
  throw new Error(`the API server returned PodMigration ${written.metadata.name} without its status`);
}

const WARNING_PHASES = new Set(["RollingBack", "RolledBack", "Failed"]);

/** One event on the move and, for what its owner should know, one on the pod. */
function announce(deps: MoveDependencies, move: PodMigration): void {
  const { phase, message, reason } = move.status ?? {};
  if (phase === undefined) return;
  const type = WARNING_PHASES.has(phase) || reason === PROGRAM_FAILED ? "Warning" : "Normal";
  const words = `${reason ?? phase}: ${message ?? ""}${FINAL_PHASES.has(phase) ? frozenFor(move.status ?? {}) : ""}`;
  const { namespace, name } = move.metadata;
  deps.logger.info("move", { move: `${namespace}/${name}`, phase, reason, message });
  deps.events.record(move, type, phase, words);
  if (FINAL_PHASES.has(phase) || phase === "Frozen" || phase === "Committed") {
    deps.events.record(podOf(move), type, `Move${phase}`, `${move.metadata.name}: ${words}`);
  }
}

/** Enough of the source pod to hang an event on. */
function podOf(move: PodMigration) {
  const { namespace } = move.metadata;
  const uid = move.status?.sourcePodUID;
  return {
    apiVersion: "v1",
    kind: PODS.kind,
    metadata: {
      name: move.spec.podName,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}
