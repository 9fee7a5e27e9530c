/** The PodMigration controller: which objects it is about, and what else makes it look at them again. */
import { LINEAGE_LABEL, MOVE_LABEL } from "../../api/v1alpha1/group.ts";
import { POD_MIGRATIONS } from "../../api/v1alpha1/pod-migration.ts";
import {
  BY_POD_UID,
  type Controller,
  type ControllerContext,
  ownKey,
  refOf,
  watchRule,
} from "../../kube/controller.ts";
import { PODS, type Pod } from "../../kube/resources.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { reconcileMove } from "./reconciler.ts";

/** Moves side by side; pacing decides how many there are. */
const CONCURRENCY = 16;

export function podMigrationController(
  context: ControllerContext,
  outside: Pick<MoveDependencies, "driver" | "choosePlacement" | "expectFreeze">,
): Controller {
  const { client, clock, events, logger, namespace, stores } = context;
  const deps = { client, clock, events, logger, namespace, ...outside };
  const movesOf = (pod: Pod) => stores.podMigrations.byIndex(BY_POD_UID, pod.metadata.uid ?? "").map(refOf);
  return {
    name: "pod-migration",
    watches: [ownKey(POD_MIGRATIONS), watchRule({ kind: PODS, keys: (pod) => (concerns(pod) ? movesOf(pod) : []) })],
    concurrency: CONCURRENCY,
    reconcile: (key, term) => reconcileMove(deps, key, term),
  };
}

/** Moves wait for their pods to start, to be ready and to be gone. */
function concerns(pod: Pod): boolean {
  const labels = pod.metadata.labels ?? {};
  return MOVE_LABEL in labels || LINEAGE_LABEL in labels || pod.metadata.deletionTimestamp !== undefined;
}
