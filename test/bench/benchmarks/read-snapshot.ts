/** A cluster snapshot out of a file: parsing, which evaluate's own time does not contain. */
import { readSnapshotText } from "../../../src/cli/plan/read-documents.ts";
import { writeSnapshot } from "../../../src/planning/written-snapshot/write-snapshot.ts";
import type { Benchmark } from "../measure.ts";
import { bigCluster } from "./big-cluster.ts";

const PODS_PER_NODE = 30;
const SAMPLES = 20;

export const snapshotRead: Benchmark = {
  name: `snapshot read from JSON: ${PODS_PER_NODE} pods a node, ${SAMPLES} samples each`,
  unit: "nodes",
  sizes: [10, 50, 250],
  prepare(nodes) {
    const snapshot = bigCluster({ nodes, pods: nodes * PODS_PER_NODE, samples: SAMPLES, shortEvery: 100 });
    const text = JSON.stringify(writeSnapshot(snapshot, "InfluxDB"));
    return () => {
      if (!readSnapshotText({ name: "snapshot.json", text }).ok) throw new Error("the snapshot was refused");
    };
  },
};
