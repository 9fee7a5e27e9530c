/** Where the pods come from, as plain data that can be handed to other threads. */
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import type { SimulatedPod } from "../scenario.ts";
import { generatedWorkloadSchema, type WrittenGeneratedWorkload } from "../workloads/generator/generated-workload.ts";
import { Intake, type Workload, type WorkloadOptions } from "../workloads/intake.ts";
import { readTraceFiles } from "../workloads/read-trace-files.ts";

export type WorkloadSource =
  | { kind: "Files"; paths: readonly string[]; options: WorkloadOptions }
  | { kind: "Generated"; workload: Omit<WrittenGeneratedWorkload, "apiVersion" | "kind">; options: WorkloadOptions };

export interface WorkloadInput {
  /** Read once more by each thread; recorded pods, which are the same for every seed, are handed over as they are. */
  source: WorkloadSource | { kind: "Pods"; pods: readonly SimulatedPod[] };
  /** Put on every pod, over its own. */
  labels: Readonly<Record<string, string>>;
}

/** Throws a BrokenInputError that tells what is wrong in any of the files. */
export function readWorkloadSource(source: WorkloadSource): Workload {
  if (source.kind === "Files") return readTraceFiles(source.paths, source.options);
  const intake = new Intake();
  intake.generated.push(
    generatedWorkloadSchema.parse({ apiVersion: API_VERSION, kind: "GeneratedWorkload", ...source.workload }),
  );
  return intake.workload("the generated workload", source.options);
}

/** What to hand to threads for a workload that has been read. */
export function workloadInput(
  source: WorkloadSource,
  workload: Workload,
  labels: WorkloadInput["labels"],
): WorkloadInput {
  return { source: workload.seeded ? source : { kind: "Pods", pods: workload.podsOf(0) }, labels };
}

/** The pods of a seed, in order of arrival. */
export function openWorkload({ source, labels }: WorkloadInput): (seed: number) => readonly SimulatedPod[] {
  const podsOf = opened(source);
  if (Object.keys(labels).length === 0) return podsOf;
  return (seed) => podsOf(seed).map((pod) => ({ ...pod, labels: { ...pod.labels, ...labels } }));
}

function opened(source: WorkloadInput["source"]): (seed: number) => readonly SimulatedPod[] {
  if (source.kind === "Pods") return () => source.pods;
  const workload = readWorkloadSource(source);
  return (seed) => workload.podsOf(seed);
}
