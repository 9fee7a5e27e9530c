/** The two Flux queries: one for all nodes, one for all pods. Whatever a user can name goes through the client's quoting. */
import { flux, fluxString, type ParameterizedQuery } from "@influxdata/influxdb-client";

export interface QueryRange {
  bucket: string;
  startMs: number;
  stopMs: number;
}

/**
 * inputs.kubernetes' kubernetes_node and inputs.mem's mem. Only raw fields: their tables have one type each, so that dropping tags
 * (which joins tables) can't join a float with an integer.
 */
export function nodesQuery(range: QueryRange): ParameterizedQuery {
  return flux`${head(range)}
  |> filter(fn: (r) =>
    (r._measurement == "kubernetes_node" and
      (r._field == "memory_available_bytes" or r._field == "memory_working_set_bytes")) or
    (r._measurement == "mem" and
      (r._field == "available_percent" or r._field == "used" or r._field == "total")))
  |> keep(columns: ["_time", "_value", "_measurement", "_field", "host", "node_name"])`;
}

/** By field, since inputs.kube_inventory writes other fields into the same measurement. */
export function podsQuery(range: QueryRange): ParameterizedQuery {
  return flux`${head(range)}
  |> filter(fn: (r) => r._measurement == "kubernetes_pod_container" and r._field == "memory_working_set_bytes")
  |> keep(columns: ["_time", "_value", "host", "node_name", "namespace", "pod_name", "container_name"])`;
}

function head({ bucket, startMs, stopMs }: QueryRange): ParameterizedQuery {
  return flux`from(bucket: ${fluxString(bucket)})
  |> range(start: ${new Date(startMs)}, stop: ${new Date(stopMs)})`;
}
