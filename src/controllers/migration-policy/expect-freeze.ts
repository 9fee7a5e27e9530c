/** How long a move freezes its pod: learnt from the PodMigrations in the store, as plans learn what moves take. */
import type { PodMigration } from "../../api/v1alpha1/pod-migration.ts";
import type { Store } from "../../kube/store.ts";
import { learnFreezeCosts } from "../../planning/cost/freeze-costs.ts";
import type { ExpectFreeze } from "../pod-migration/dependencies.ts";
import { moveSnapshots } from "./snapshot-moves.ts";

export function freezeNow({ podMigrations }: { podMigrations: Pick<Store<PodMigration>, "list"> }): ExpectFreeze {
  return (move) => {
    const moves = moveSnapshots(podMigrations.list(), () => undefined);
    return learnFreezeCosts(moves).expect(move);
  };
}
