/** The metrics sources that this process offers to policies, by the name that `spec.metrics.source` gives. */
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { type ConnectionResult, influxConnectionFromEnv } from "./influxdb/connection.ts";
import { InfluxSource } from "./influxdb/influx-source.ts";
import { KubeletSource } from "./kubelet-summary/kubelet-source.ts";
import type { CollectResult, MetricsSource, MetricsUnavailable, SourceName } from "./source.ts";

export type MetricsSources = Readonly<Record<SourceName, MetricsSource>>;

export interface SourcesInput {
  kube: Pick<KubeClient, "getRaw">;
  clock: Pick<Clock, "after">;
  env: Record<string, string | undefined>;
}

/** Nothing is asked until a policy collects; an InfluxDB that isn't configured answers `NotConfigured` each time. */
export function createMetricsSources({ kube, clock, env }: SourcesInput): MetricsSources {
  return {
    InfluxDB: influxSource(influxConnectionFromEnv(env), clock),
    KubeletSummary: new KubeletSource(kube, clock),
  };
}

function influxSource(result: ConnectionResult, clock: Pick<Clock, "after">): MetricsSource {
  return result.ok ? new InfluxSource(result.connection, clock) : new UnconfiguredSource("InfluxDB", result.error);
}

/** A source that a policy may name but nobody has set up. */
class UnconfiguredSource implements MetricsSource {
  readonly name: SourceName;
  readonly #error: MetricsUnavailable;

  constructor(name: SourceName, error: MetricsUnavailable) {
    this.name = name;
    this.#error = error;
  }

  collect(): Promise<CollectResult> {
    return Promise.resolve({ ok: false, error: this.#error });
  }
}
