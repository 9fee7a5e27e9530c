/** Where a PodMigration goes, or whether the node it asks for will do: planning's rules over the cluster as it is now. */

import type { MetricsSourceName } from "../../api/v1alpha1/migration-policy.ts";
import type { ControllerContext } from "../../kube/controller.ts";
import type { CollectResult } from "../../metrics/source.ts";
import { choosePlacement } from "../../planning/placement/choose-placement.ts";
import type { ChoosePlacement } from "../pod-migration/dependencies.ts";
import { buildSnapshot, type NodeReports } from "./build-snapshot.ts";
import type { CollectFigures } from "./collect-figures.ts";

/** In this order: the first source that answers is relied on. */
const PREFERRED: readonly MetricsSourceName[] = ["InfluxDB", "KubeletSummary"];
const STALE_AFTER_SECONDS = 120;

export function placementNow(
  context: ControllerContext,
  collect: CollectFigures,
  reports: NodeReports,
): ChoosePlacement {
  return async ({ pod, size, targetNode }) => {
    const { source, result } = await firstAnswer(collect);
    if (!result.ok) return { ok: false, reason: "MetricsUnavailable", message: result.error.message };
    const snapshot = buildSnapshot({
      context,
      nowMs: context.clock.now(),
      migrations: context.stores.podMigrations.list(),
      collected: new Map([[source, result]]),
      memory: undefined,
      reports,
    });
    const answer = choosePlacement(snapshot, {
      podUID: pod.metadata.uid ?? "",
      podBytes: size.memoryBytes,
      memoryFilesBytes: size.memoryFilesBytes,
      source,
      staleAfterSeconds: STALE_AFTER_SECONDS,
      ...(targetNode === undefined ? {} : { targetNode }),
    });
    return answer.ok ? { ok: true, node: answer.node } : { ok: false, reason: answer.reason, message: answer.message };
  };
}

/** The preferred source that answers; else what the last of them said. */
async function firstAnswer(collect: CollectFigures): Promise<{ source: MetricsSourceName; result: CollectResult }> {
  let last: { source: MetricsSourceName; result: CollectResult } | undefined;
  for (const source of PREFERRED) {
    last = { source, result: await collect(source) };
    if (last.result.ok) return last;
  }
  return last ?? Promise.reject(new Error("no metrics source is known"));
}
