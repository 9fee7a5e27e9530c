/** Asks metrics sources, each at most once at a time: whoever asks meanwhile shares the answer. */
import type { MetricsSourceName } from "../../api/v1alpha1/migration-policy.ts";
import type { Stores } from "../../kube/controller.ts";
import { collectRequest } from "../../metrics/live.ts";
import type { CollectResult, Measurement, Reading } from "../../metrics/source.ts";
import type { MetricsSources } from "../../metrics/sources.ts";
import type { Figure, SourceFigures } from "../../planning/snapshot.ts";

export type CollectFigures = (source: MetricsSourceName) => Promise<CollectResult>;

export function figureCollector(
  sources: MetricsSources,
  stores: Pick<Stores, "nodes" | "pods">,
  now: () => number,
): CollectFigures {
  const underWay = new Map<MetricsSourceName, Promise<CollectResult>>();
  const request = () => collectRequest(now(), stores.nodes.list(), stores.pods.list());
  return (source) => {
    const current = underWay.get(source);
    if (current !== undefined) return current;
    const answer = sources[source].collect(request()).finally(() => underWay.delete(source));
    underWay.set(source, answer);
    return answer;
  };
}

function figure({ usedBytes, sampledAtMs, series, suspect }: Measurement): Figure {
  return { usedBytes, sampledAtMs, series, suspect };
}

export function sourceFigures(reading: Reading): SourceFigures {
  const figures = (measurements: Reading["nodes"]) =>
    new Map([...measurements].map(([key, measurement]) => [key, figure(measurement)]));
  return { nodes: figures(reading.nodes), pods: figures(reading.pods) };
}
