/** Asks metrics sources, each at most once at a time: whoever asks meanwhile shares the answer. */

import { parseResourceQuantity } from "../../api/quantity.ts";
import type { MetricsSourceName } from "../../api/v1alpha1/migration-policy.ts";
import type { Stores } from "../../kube/controller.ts";
import type { CollectRequest, CollectResult, LiveNode, LivePod, Measurement, Reading } from "../../metrics/source.ts";
import type { MetricsSources } from "../../metrics/sources.ts";
import type { Figure, SourceFigures } from "../../planning/snapshot.ts";

export type CollectFigures = (source: MetricsSourceName) => Promise<CollectResult>;

export function figureCollector(
  sources: MetricsSources,
  stores: Pick<Stores, "nodes" | "pods">,
  now: () => number,
): CollectFigures {
  const underWay = new Map<MetricsSourceName, Promise<CollectResult>>();
  return (source) => {
    const current = underWay.get(source);
    if (current !== undefined) return current;
    const answer = sources[source].collect(request(stores, now())).finally(() => underWay.delete(source));
    underWay.set(source, answer);
    return answer;
  };
}

/** Everything that runs or may run: a pod that has ended uses nothing. */
function request(stores: Pick<Stores, "nodes" | "pods">, nowMs: number): CollectRequest {
  return { nowMs, nodes: stores.nodes.list().map(liveNode), pods: stores.pods.list().flatMap(livePod) };
}

function liveNode({ metadata, status }: ReturnType<Stores["nodes"]["list"]>[number]): LiveNode {
  const hostname = metadata.labels?.["kubernetes.io/hostname"];
  return {
    name: metadata.name,
    capacityBytes: parseResourceQuantity(status?.capacity?.memory ?? "") ?? 0,
    ...(hostname === undefined || hostname === metadata.name ? {} : { hostname }),
  };
}

function livePod({ metadata, spec, status }: ReturnType<Stores["pods"]["list"]>[number]): LivePod[] {
  const { namespace, name, uid } = metadata;
  if (namespace === undefined || uid === undefined || spec.nodeName === undefined) return [];
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return [];
  const startedAtMs = Date.parse(status?.startTime ?? "");
  return [
    { namespace, name, uid, node: spec.nodeName, startedAtMs: Number.isNaN(startedAtMs) ? undefined : startedAtMs },
  ];
}

function figure({ usedBytes, sampledAtMs, series, suspect }: Measurement): Figure {
  return { usedBytes, sampledAtMs, series, suspect };
}

export function sourceFigures(reading: Reading): SourceFigures {
  const figures = (measurements: Reading["nodes"]) =>
    new Map([...measurements].map(([key, measurement]) => [key, figure(measurement)]));
  return { nodes: figures(reading.nodes), pods: figures(reading.pods) };
}
