/** What the moves came to, and what they cost. */
import type { RunRecord } from "../run-record.ts";
import { eventsOf, GIB, HOUR, percentile, type Score, sum } from "./score.ts";

/** A pod that goes back to the node of its last move within this time has moved for nothing. */
const RETURN_SECONDS = HOUR;

/** Pod-hours that pods stood still in moves, failed ones too. */
export function frozenPodHours(run: RunRecord): number {
  return sum(frozenSeconds(run)) / HOUR;
}

const frozenSeconds = (run: RunRecord) => eventsOf(run, "MoveEnded").map((event) => event.frozenSeconds);

/** A restart ends a pod's history: where it starts again, the scheduler has decided. */
function returns(run: RunRecord): number {
  const left = new Map<string, { node: string; seconds: number }>();
  let count = 0;
  for (const event of run.events) {
    if (event.kind === "Killed" || event.kind === "Evicted") left.delete(event.pod);
    if (event.kind !== "MoveEnded" || event.outcome !== "Succeeded") continue;
    const last = left.get(event.pod);
    if (last?.node === event.to && event.seconds - last.seconds <= RETURN_SECONDS) count += 1;
    left.set(event.pod, { node: event.from, seconds: event.seconds });
  }
  return count;
}

const evaluationsWithoutRoom = (run: RunRecord) =>
  new Set(eventsOf(run, "NodesFull").map((event) => event.seconds)).size;

export const MOVE_SCORES: readonly Score[] = [
  {
    name: "movesPerHour",
    title: "Moves",
    unit: "/h",
    better: "Lower",
    doc: "Moves started, those that failed too.",
    of: (run) => (run.endSeconds > 0 ? eventsOf(run, "MoveStarted").length / (run.endSeconds / HOUR) : null),
  },
  {
    name: "gibMoved",
    title: "Moved",
    unit: "GiB",
    better: "Lower",
    doc: "Memory of the moves that were started, those that failed too.",
    of: (run) => sum(eventsOf(run, "MoveStarted").map((event) => event.bytes)) / GIB,
  },
  {
    name: "movesFailed",
    title: "Failed",
    unit: "",
    better: "Neither",
    doc: "Moves that were rolled back or whose pod was killed meanwhile.",
    of: (run) => eventsOf(run, "MoveEnded").filter((event) => event.outcome !== "Succeeded").length,
  },
  {
    name: "pingPong",
    title: "Ping-pong",
    unit: "",
    better: "Lower",
    doc: "Moves back, within an hour, to the node that the pod's last move took it from.",
    of: returns,
  },
  {
    name: "downtimeSeconds",
    title: "Frozen",
    unit: "s",
    better: "Lower",
    doc: "Time that pods stood still in moves, all together.",
    of: (run) => sum(frozenSeconds(run)),
  },
  {
    name: "downtimeP95Seconds",
    title: "Frozen p95",
    unit: "s",
    better: "Lower",
    doc: "The freeze that 95 % of the moves do not exceed.",
    of: (run) => percentile(frozenSeconds(run), 0.95),
  },
  {
    name: "nodesFull",
    title: "No room",
    unit: "",
    better: "Lower",
    doc: "Evaluations in which a pod should have moved and no node had room: the times to add a node.",
    of: evaluationsWithoutRoom,
  },
];
