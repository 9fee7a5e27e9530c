/**
 * The pods of a written ClusterSnapshot (`headroom plan --save`): those with a series go through it, from its first sample on; those with
 * one figure hold it, or go on growing for an hour if the snapshot says how fast they grow. What keeps a pod from being moved, or to some
 * nodes, does so here too.
 */
import { clusterSnapshotSchema } from "../../../api/v1alpha1/cluster-snapshot.ts";
import type { PodSnapshot } from "../../../planning/snapshot.ts";
import { readSnapshot } from "../../../planning/written-snapshot/read-snapshot.ts";
import { admit, broken, type InputDocument } from "../../input/documents.ts";
import type { Named } from "../../input/names.ts";
import { planningFacts } from "../../planning-facts.ts";
import type { Trace } from "../../scenario.ts";
import type { DescribedPod } from "../described-pod.ts";
import type { RecordedPod } from "../recorded-pod.ts";

export interface SnapshotWorkload {
  recorded: RecordedPod[];
  described: DescribedPod[];
  names: Named[];
}

const GROWS_SECONDS = 3600;
/** What had kept a pod from being moved just then: in the simulation it runs, and the moves of before are over. */
const PASSING_OBSTACLES: ReadonlySet<string> = new Set(["PodNotRunning", "ContainerNotRunning", "MoveTarget"]);

export function readSnapshotWorkload(document: InputDocument): SnapshotWorkload {
  const { pods } = readSnapshot(admit(clusterSnapshotSchema, document));
  const running = pods.flatMap((pod, index) =>
    pod.phase === "Succeeded" || pod.phase === "Failed" ? [] : [{ pod, index }],
  );
  const unknown = running.filter(({ pod }) => pod.usedBytes === undefined);
  if (unknown.length > 0) {
    const message = "expected used, or a series with at least one sample that can be believed";
    throw broken(
      document,
      unknown.map(({ index }) => ({ path: `pods[${index}]`, message })),
    );
  }
  const workload: SnapshotWorkload = { recorded: [], described: [], names: [] };
  for (const { pod, index } of running) {
    const { series, namespace, name } = pod;
    workload.names.push({ name: `${namespace}/${name}`, field: `pods[${index}].name` });
    if (series !== undefined)
      workload.recorded.push({ ...owned(pod, series.timesMs[0]), ...series, finishes: "WhenGone" });
    else workload.described.push({ ...owned(pod), arrivalSeconds: 0, durationSeconds: undefined, trace: onwards(pod) });
  }
  return workload;
}

/** `fromMs`: what has run before counts as done. */
function owned(pod: PodSnapshot, fromMs?: number) {
  const { namespace, name, labels, annotations, requestBytes, tolerations, nodeSelector, node } = pod;
  const { expectedRuntimeSeconds, startedAtMs = fromMs } = pod;
  const { obstacle, ...facts } = planningFacts(pod);
  const doneSeconds =
    fromMs === undefined || startedAtMs === undefined ? 0 : Math.max(0, (fromMs - startedAtMs) / 1000);
  const left = expectedRuntimeSeconds === undefined ? undefined : Math.max(1, expectedRuntimeSeconds - doneSeconds);
  return {
    ...{ namespace, name, labels, annotations, tolerations, nodeSelector, node, ...facts },
    ...(obstacle !== undefined && !PASSING_OBSTACLES.has(obstacle.reason) && { obstacle }),
    // A request of 0 is what readSnapshot makes of none.
    ...(requestBytes > 0 && { requestBytes }),
    ...(left !== undefined && { expectedRuntimeSeconds: left }),
  };
}

function onwards({ usedBytes = 0, growthBytesPerMinute = 0 }: PodSnapshot): Trace {
  if (growthBytesPerMinute === 0) return { seconds: Float64Array.of(0), bytes: Float64Array.of(usedBytes) };
  const later = Math.max(0, usedBytes + (growthBytesPerMinute * GROWS_SECONDS) / 60);
  return { seconds: Float64Array.of(0, GROWS_SECONDS), bytes: Float64Array.of(usedBytes, later) };
}
