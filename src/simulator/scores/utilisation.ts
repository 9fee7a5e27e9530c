/** How full nodes are. */
import type { NodeRecord, RunRecord } from "../run-record.ts";
import { GIB, HOUR, mean, type Score, sum } from "./score.ts";

const fractions = (run: RunRecord, bytes: (node: NodeRecord) => number) =>
  run.nodes.filter((node) => node.capacityBytes > 0).map((node) => bytes(node) / node.capacityBytes);

function clusterMean(run: RunRecord): number | null {
  const capacity = sum(run.nodes.map((node) => node.capacityBytes));
  return capacity > 0 ? sum(run.nodes.map((node) => node.meanUsedBytes)) / capacity : null;
}

const percent = (fraction: number | null) => (fraction === null ? null : fraction * 100);

export const UTILISATION_SCORES: readonly Score[] = [
  {
    name: "utilisationMean",
    title: "Used",
    unit: "%",
    better: "Neither",
    doc: "Memory used of the whole cluster's, over the whole time.",
    of: (run) => percent(clusterMean(run)),
  },
  {
    name: "utilisationPeak",
    title: "Used, peak",
    unit: "%",
    better: "Neither",
    doc: "The highest use that any node came to.",
    of: (run) => {
      const peaks = fractions(run, (node) => node.peakUsedBytes);
      return peaks.length === 0 ? null : percent(peaks.reduce((most, peak) => Math.max(most, peak)));
    },
  },
  {
    name: "utilisationPeakMean",
    title: "Used, mean peak",
    unit: "%",
    better: "Neither",
    doc: "The mean over the nodes of each one's highest use.",
    of: (run) => percent(mean(fractions(run, (node) => node.peakUsedBytes))),
  },
  {
    name: "aboveReserveGibHours",
    title: "Above reserve",
    unit: "GiB·h",
    better: "Lower",
    doc: "Memory used beyond capacity minus the reserve, over time: how deep and how long nodes were in danger.",
    of: (run) => sum(run.nodes.map((node) => node.aboveReserveByteSeconds)) / GIB / HOUR,
  },
];
