/** Keeping series: what one collection costs for pods that already have an hour of samples. */

import { BoundedSeries } from "../../../src/metrics/bounded-series.ts";
import type { CollectRequest } from "../../../src/metrics/source.ts";
import { UsageStore } from "../../../src/metrics/usage-store.ts";
import { NOW_MS } from "../../planning/fixtures.ts";
import type { Benchmark } from "../measure.ts";

const STEP_MS = 15_000;
const OVERLAP_SAMPLES = 5;
const KEPT = 240;

/** Time per sample must not grow with their number. */
export const seriesAppend: Benchmark = {
  name: `series: samples added in order, the newest ${KEPT} kept`,
  unit: "samples",
  sizes: [1_000, 10_000, 100_000],
  prepare: (samples) => () => {
    const series = new BoundedSeries(KEPT);
    for (let index = 0; index < samples; index++) series.add(index, index);
  },
};

/** Two containers a pod; each run adds one new sample and the overlap again, and reads everything. */
export const storeMerge: Benchmark = {
  name: `store: one collection, 2 containers a pod, ${OVERLAP_SAMPLES} old samples and a new one each, all read`,
  unit: "pods",
  sizes: [100, 1_000, 4_000],
  prepare(pods) {
    const uids = Array.from({ length: pods }, (_, index) => `uid-${index}`);
    const store = new UsageStore();
    let nowMs = NOW_MS;
    collect(store, uids, nowMs, KEPT);
    return () => {
      nowMs += STEP_MS;
      collect(store, uids, nowMs, OVERLAP_SAMPLES + 1);
    };
  },
};

function collect(store: UsageStore, uids: readonly string[], nowMs: number, samples: number): void {
  store.begin(request(uids, nowMs), nowMs);
  for (const uid of uids) {
    for (let back = samples - 1; back >= 0; back--) {
      store.addContainer(uid, "main", nowMs - back * STEP_MS, 1000 + back);
      store.addContainer(uid, "side", nowMs - back * STEP_MS + 500, 100);
    }
  }
  const { pods } = store.read([]);
  if (pods.get(uids[0] ?? "")?.series.bytes.length !== KEPT) throw new Error("the series are not full");
}

function request(uids: readonly string[], nowMs: number): CollectRequest {
  const pods = uids.map((uid) => ({ namespace: "default", name: uid, uid, node: "n", startedAtMs: 0 }));
  return { nowMs, nodes: [{ name: "n", capacityBytes: 1e12 }], pods };
}
