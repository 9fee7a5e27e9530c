/**
 * What `headroom simulate --trace F --cluster F` simulates, out of its files.
 *
 * ```ts
 * const source = openScenario({ traces: ["trace.json"], cluster: "10x64Gi" });  // reads the files once
 * const scenario = source.scenario(7);                                          // the workload of seed 7, if it is generated
 * ```
 *
 * `traces`: files and directories of any format of docs/simulator-workloads.md, taken together as one workload; `cluster`: a file, or
 * `10x64Gi`. Throws a BrokenInputError, whose `lines` name file, line and field, for what is wrong in any of the files.
 */
import { readFileSync } from "node:fs";
import { readCluster } from "./clusters/read-cluster.ts";
import { clusterShorthand } from "./clusters/shorthand.ts";
import { BrokenInputError, collectFlaws } from "./input/broken-input.ts";
import { type Conditions, DEFAULT_CONDITIONS, type Scenario, type SimulatedNode } from "./scenario.ts";
import type { Workload, WorkloadOptions } from "./workloads/intake.ts";
import { readTraceFiles } from "./workloads/read-trace-files.ts";

export interface ScenarioFiles extends WorkloadOptions {
  /** Files or directories, at least one. */
  traces: readonly string[];
  /** A file, or a shorthand such as 10x64Gi. */
  cluster: string;
  /** Default: what the workload says, see {@link Workload.endSeconds}. */
  endSeconds?: number | undefined;
  /** Default: {@link DEFAULT_CONDITIONS}. */
  conditions?: Conditions | undefined;
  /** Default: the traces' and the cluster's names. */
  name?: string | undefined;
}

export interface ScenarioSource {
  /** False: every seed has the same pods (seeds still vary moves). */
  seeded: boolean;
  scenario(seed: number): Scenario;
}

export function openScenario(files: ScenarioFiles): ScenarioSource {
  const { traces, cluster, conditions = DEFAULT_CONDITIONS, name = `${traces.join(" ")} on ${cluster}` } = files;
  let nodes: SimulatedNode[] = [];
  let workload: Workload | undefined;
  collectFlaws(
    [() => (nodes = readClusterFile(cluster)), () => (workload = readTraceFiles(traces, files))],
    (read) => void read(),
  );
  if (workload === undefined) throw new BrokenInputError([{ file: name, message: "expected a workload" }]);
  const { seeded, podsOf, endSeconds: own } = workload;
  const endSeconds = files.endSeconds ?? own;
  return { seeded, scenario: (seed) => ({ name, nodes, pods: podsOf(seed), endSeconds, conditions }) };
}

export function loadScenario(files: ScenarioFiles, seed = 0): Scenario {
  return openScenario(files).scenario(seed);
}

/** A file, or a shorthand such as 10x64Gi. */
export function readClusterFile(cluster: string): SimulatedNode[] {
  const short = clusterShorthand(cluster);
  if (short !== undefined) return short;
  try {
    return readCluster({ name: cluster, text: readFileSync(cluster, "utf8") });
  } catch (error) {
    if (error instanceof BrokenInputError) throw error;
    const message = `${error instanceof Error ? error.message : String(error)}; give a file, or nodes as in 10x64Gi`;
    throw new BrokenInputError([{ file: cluster, message }]);
  }
}
