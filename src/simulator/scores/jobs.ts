/** What became of the pods: finished, how late, and how long they waited for a node. */
import type { PodRecord, RunRecord } from "../run-record.ts";
import { HOUR, mean, percentile, type Score, sum } from "./score.ts";

/**
 * Time from arrival to the end, as a multiple of the work. A job that has not finished counts once it is late, with the time
 * that it has taken so far: leaving it out would reward a policy for what it lets be killed.
 */
function slowDowns(run: RunRecord): number[] {
  return run.pods.flatMap((pod) => slowDown(pod, run.endSeconds) ?? []);
}

function slowDown(pod: PodRecord, endSeconds: number): number | undefined {
  if (pod.durationSeconds === undefined || pod.durationSeconds <= 0) return undefined;
  const factor = ((pod.finishedSeconds ?? endSeconds) - pod.arrivalSeconds) / pod.durationSeconds;
  return pod.finishedSeconds === undefined && factor < 1 ? undefined : factor;
}

const waitedSeconds = (pod: PodRecord, endSeconds: number) =>
  Math.max(0, (pod.scheduledSeconds ?? endSeconds) - pod.arrivalSeconds);

export const JOB_SCORES: readonly Score[] = [
  {
    name: "jobsFinished",
    title: "Finished",
    unit: "",
    better: "Higher",
    doc: "Pods that have done all their work by the end.",
    of: (run) => run.pods.filter((pod) => pod.finishedSeconds !== undefined).length,
  },
  {
    name: "podsNeverStarted",
    title: "Never started",
    unit: "",
    better: "Lower",
    doc: "Pods that came and had found no node by the end: more was requested than nodes had left, or gates were closed.",
    of: (run) =>
      run.pods.filter((pod) => pod.scheduledSeconds === undefined && pod.arrivalSeconds < run.endSeconds).length,
  },
  {
    name: "slowDownMean",
    title: "Slow-down",
    unit: "×",
    better: "Lower",
    doc: "Time from arrival to end as a multiple of the work; a job that is late and has not finished counts with its time so far.",
    of: (run) => mean(slowDowns(run)),
  },
  {
    name: "slowDownP95",
    title: "Slow-down p95",
    unit: "×",
    better: "Lower",
    doc: "The slow-down that 95 % of the jobs do not exceed.",
    of: (run) => percentile(slowDowns(run), 0.95),
  },
  {
    name: "waitedPodHours",
    title: "Waited",
    unit: "pod·h",
    better: "Lower",
    doc: "Time between a pod's arrival and its first node: requests and scheduling gates make pods wait.",
    of: (run) => sum(run.pods.map((pod) => waitedSeconds(pod, run.endSeconds))) / HOUR,
  },
];
