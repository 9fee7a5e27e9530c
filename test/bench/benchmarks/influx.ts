/** Reading InfluxDB's answers: a first collection (an hour) and a later one (what is new, with the overlap), over HTTP. */
import { systemClock } from "../../../src/kube/clock.ts";
import { InfluxSource } from "../../../src/metrics/influxdb/influx-source.ts";
import type { CollectRequest } from "../../../src/metrics/source.ts";
import { NOW_MS } from "../../planning/fixtures.ts";
import { FakeInfluxDB } from "../../support/fake-influxdb.ts";
import type { Benchmark } from "../measure.ts";

const STEP_MS = 15_000;

export const influxFirst = influxBenchmark("InfluxDB: a first collection, 240 samples a pod", 240);
export const influxLater = influxBenchmark("InfluxDB: a later collection, 5 samples a pod", 5);

function influxBenchmark(name: string, samples: number): Benchmark {
  const influx = new FakeInfluxDB();
  let started = false;
  return {
    name,
    unit: "pods",
    sizes: [10, 100, 1_000],
    async prepare(pods) {
      if (!started) await influx.start();
      started = true;
      const names = Array.from({ length: pods }, (_, index) => `p${index}`);
      influx.behaviour = { body: names.map((pod) => table(pod, samples)).join("\r\n") };
      const source = new InfluxSource(influx.connection, systemClock, { timeoutMs: 60_000 });
      return async () => {
        const result = await source.collect(request(names));
        if (!result.ok) throw new Error(result.error.message);
        if (result.reading.pods.get(`uid-${names.at(-1)}`)?.usedBytes === undefined)
          throw new Error("nothing was read");
      };
    },
    close: () => influx.stop(),
  };
}

function request(names: readonly string[]): CollectRequest {
  const pods = names.map((name) => ({ namespace: "d", name, uid: `uid-${name}`, node: "n", startedAtMs: 0 }));
  return { nowMs: NOW_MS, nodes: [{ name: "n", capacityBytes: 1e12 }], pods };
}

/** A pod's table, as the pods' query gets it; the nodes' query gets the same and finds nothing in it. */
function table(pod: string, samples: number): string {
  const rows = Array.from({ length: samples }, (_, back) => {
    const time = new Date(NOW_MS - back * STEP_MS).toISOString();
    return `,,0,${time},${1_000_000 + back},telegraf,n,d,${pod},main`;
  });
  return [
    "#datatype,string,long,dateTime:RFC3339,long,string,string,string,string,string",
    "#group,false,false,false,false,true,true,true,true,true",
    "#default,_result,,,,,,,,",
    ",result,table,_time,_value,host,node_name,namespace,pod_name,container_name",
    ...rows,
    "",
  ].join("\r\n");
}
