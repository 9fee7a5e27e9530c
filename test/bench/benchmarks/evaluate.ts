/** A decision for growing clusters: ten pods a node, every tenth node short of memory, an hour of samples each. */
import { evaluate } from "../../../src/planning/evaluate.ts";
import type { ClusterSnapshot, Series } from "../../../src/planning/snapshot.ts";
import { NOW_MS, node, pod, policy } from "../../planning/fixtures.ts";
import type { Benchmark } from "../measure.ts";

const PODS_PER_NODE = 10;
const SAMPLES = 240;
const STEP_MS = 15_000;

export const evaluateGrowing: Benchmark = {
  name: `evaluate: ${PODS_PER_NODE} pods a node, every tenth node short, ${SAMPLES} samples each`,
  unit: "nodes",
  sizes: [10, 100, 1000],
  prepare(nodes) {
    const snapshot = growingCluster(nodes);
    const policies = [policy({ pressure: { strategy: "Threshold", freeBelow: "20%" } })];
    return () => {
      if (evaluate(snapshot, policies).decision.nodes.length !== nodes) throw new Error("not every node was judged");
    };
  },
};

function growingCluster(nodes: number): ClusterSnapshot {
  const numbers = Array.from({ length: nodes }, (_, index) => index);
  return {
    timeMs: NOW_MS,
    nodes: numbers.map((index) => {
      const usedBytes = index % 10 === 0 ? 90 : 40 + (index % 7);
      return node(`n${index}`, { usedBytes, series: rising(usedBytes) });
    }),
    pods: numbers.flatMap((index) =>
      Array.from({ length: PODS_PER_NODE }, (_, number) => {
        const used = (index % 10 === 0 ? 8 : 3) + number / 10;
        return pod(`p${index}-${number}`, `n${index}`, used, { series: rising(used) });
      }),
    ),
    moves: [],
  };
}

/** Up to this use, by a tenth of it over the series. */
function rising(bytes: number): Series {
  const fromMs = NOW_MS - (SAMPLES - 1) * STEP_MS;
  return {
    timesMs: Float64Array.from({ length: SAMPLES }, (_, index) => fromMs + index * STEP_MS),
    bytes: Float64Array.from({ length: SAMPLES }, (_, index) => bytes * (0.9 + (0.1 * index) / SAMPLES)),
  };
}
