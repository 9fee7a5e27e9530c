/** The metrics sources that this process offers to policies, by the name that `spec.metrics.source` gives. */
import type { InfluxConnection } from "../config/controller-config.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Clock } from "../kube/clock.ts";
import { InfluxSource } from "./influxdb/influx-source.ts";
import { KubeletSource } from "./kubelet-summary/kubelet-source.ts";
import type { CollectResult, MetricsSource, MetricsUnavailable, SourceName } from "./source.ts";

export type MetricsSources = Readonly<Record<SourceName, MetricsSource>>;

export interface SourcesInput {
  kube: Pick<KubeClient, "getRaw">;
  clock: Pick<Clock, "after">;
  /** Undefined: no connection was given. */
  influx: InfluxConnection | undefined;
  /** May the kubelets be asked? */
  kubeletSummary: boolean;
}

/** Nothing is asked until a policy collects; a source that isn't configured answers `NotConfigured` each time. */
export function createMetricsSources({ kube, clock, influx, kubeletSummary }: SourcesInput): MetricsSources {
  return {
    InfluxDB:
      influx === undefined
        ? new UnconfiguredSource("InfluxDB", "it needs INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET and INFLUXDB_TOKEN")
        : new InfluxSource(influx, clock),
    KubeletSummary: kubeletSummary
      ? new KubeletSource(kube, clock)
      : new UnconfiguredSource("KubeletSummary", "it is switched off in the controller's configuration"),
  };
}

/** A source that a policy may name but nobody has set up. */
class UnconfiguredSource implements MetricsSource {
  readonly name: SourceName;
  readonly #error: MetricsUnavailable;

  constructor(name: SourceName, why: string) {
    this.name = name;
    this.#error = { reason: "NotConfigured", message: `The metrics source ${name} is not configured: ${why}` };
  }

  collect(): Promise<CollectResult> {
    return Promise.resolve({ ok: false, error: this.#error });
  }
}
