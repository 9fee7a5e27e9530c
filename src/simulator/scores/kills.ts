/** Pods that a node's want of memory ended. */
import type { RunRecord } from "../run-record.ts";
import { eventsOf, type Score } from "./score.ts";

const killsBy = (run: RunRecord, cause: "NodeOutOfMemory" | "OverLimit") =>
  eventsOf(run, "Killed").filter((event) => event.cause === cause).length;
const killed = (run: RunRecord) => [
  ...eventsOf(run, "Killed").flatMap(({ cause, pod }) => (cause === "NodeOutOfMemory" ? [pod] : [])),
  ...eventsOf(run, "Evicted").map(({ pod }) => pod),
];
const evictions = (run: RunRecord) => eventsOf(run, "Evicted").length;

export const KILL_SCORES: readonly Score[] = [
  {
    name: "kills",
    title: "Kills",
    unit: "",
    better: "Lower",
    doc: "Pods ended because a node ran out of memory: OOM kills and evictions together.",
    of: (run) => killsBy(run, "NodeOutOfMemory") + evictions(run),
  },
  {
    name: "podsKilled",
    title: "Pods killed",
    unit: "",
    better: "Lower",
    doc: "Pods to which that happened at least once: one that finds no room to start in, and is killed again and again, counts once.",
    of: (run) => new Set(killed(run)).size,
  },
  {
    name: "oomKills",
    title: "OOM kills",
    unit: "",
    better: "Lower",
    doc: "Pods that the kernel killed because their node was out of memory.",
    of: (run) => killsBy(run, "NodeOutOfMemory"),
  },
  {
    name: "evictions",
    title: "Evictions",
    unit: "",
    better: "Lower",
    doc: "Pods that the kubelet evicted because their node was nearly out of memory.",
    of: evictions,
  },
  {
    name: "limitKills",
    title: "Limit kills",
    unit: "",
    better: "Neither",
    doc: "Pods killed at their own limit; no move prevents that. Not part of kills.",
    of: (run) => killsBy(run, "OverLimit"),
  },
];
