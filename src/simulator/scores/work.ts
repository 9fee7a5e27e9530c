/** Work that kills and evictions threw away. */
import type { LostWork, RunRecord } from "../run-record.ts";
import { eventsOf, GIB, HOUR, type Score, sum } from "./score.ts";

/** Kills at a pod's own limit are no node's fault and don't count. */
function lostWork(run: RunRecord): LostWork[] {
  const killed = eventsOf(run, "Killed").filter((event) => event.cause === "NodeOutOfMemory");
  return [...killed, ...eventsOf(run, "Evicted")].map((event) => event.lost);
}

/** Pod-hours of work lost to kills and evictions. */
export function lostPodHours(run: RunRecord): number {
  return sum(lostWork(run).map((lost) => lost.seconds)) / HOUR;
}

export const WORK_SCORES: readonly Score[] = [
  {
    name: "lostPodHours",
    title: "Work lost",
    unit: "pod·h",
    better: "Lower",
    doc: "Hours of work that killed and evicted pods have to do again.",
    of: lostPodHours,
  },
  {
    name: "lostGibHours",
    title: "Memory lost",
    unit: "GiB·h",
    better: "Lower",
    doc: "Memory held over the work that was lost.",
    of: (run) => sum(lostWork(run).map((lost) => lost.byteSeconds)) / GIB / HOUR,
  },
];
