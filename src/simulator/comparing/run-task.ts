/** One run of one variant with one seed, and what is kept of it. The same wherever and whenever it is done. */
import { toPolicy } from "../../planning/policy.ts";
import { simulate } from "../engine/simulate.ts";
import type { RunRecord } from "../run-record.ts";
import type { Conditions, Scenario, SimulatedNode, SimulatedPod } from "../scenario.ts";
import { scoreRun } from "../scores/scores.ts";
import type { RunResult } from "./assemble.ts";
import type { Variant } from "./variants.ts";
import { openWorkload, type WorkloadInput } from "./workload-input.ts";

/** Everything that all runs share; plain data, so that it can be handed to other threads. */
export interface SimulationInput {
  /** Of the scenario, for headings. */
  name: string;
  workload: WorkloadInput;
  nodes: SimulatedNode[];
  endSeconds: number;
  conditions: Conditions;
  /** Part of each node's capacity that should stay free; use beyond it is scored. */
  reserveFraction: number;
  variants: Variant[];
}

export interface Task {
  seed: number;
  /** Of {@link SimulationInput.variants}. */
  variant: number;
  /** Its run is wanted whole, with timeline and decisions. */
  whole: boolean;
}

export interface TaskResult extends RunResult {
  run?: RunRecord;
}

/** What carries out tasks; it keeps the last seed's pods, as tasks of one seed tend to follow each other. */
export function openRuns(input: SimulationInput): (task: Task) => TaskResult {
  const podsOf = openWorkload(input.workload);
  let last: { seed: number; pods: readonly SimulatedPod[] } | undefined;
  return (task) => {
    if (last?.seed !== task.seed) last = { seed: task.seed, pods: podsOf(task.seed) };
    return runTask(input, last.pods, task);
  };
}

function runTask(
  input: SimulationInput,
  pods: readonly SimulatedPod[],
  { seed, variant: index, whole }: Task,
): TaskResult {
  const variant = input.variants[index];
  if (variant === undefined) throw new RangeError(`no variant ${index}`);
  const { name, nodes, endSeconds, conditions } = input;
  const scenario: Scenario = { name, nodes, pods, endSeconds, conditions };
  const run = simulate(scenario, {
    variant: variant.name,
    policies: variant.policies.map((policy) => toPolicy(policy.name, policy.spec)),
    seed,
    reserve: input.reserveFraction,
    ...(whole && { timeline: { everySeconds: recordingStep(input) } }),
    decisions: whole,
    foresight: variant.role === "Clairvoyant",
  });
  return { scores: scoreRun(run), nodes: nodeUses(run), ...(whole && { run }) };
}

/** A report shows about so many points of a node. */
const POINTS = 720;

/** A multiple of the tick. */
function recordingStep({ endSeconds, conditions: { tickSeconds } }: SimulationInput): number {
  return tickSeconds * Math.max(1, Math.ceil(endSeconds / POINTS / tickSeconds));
}

function nodeUses({ nodes }: RunRecord): RunResult["nodes"] {
  return nodes.map(({ node, capacityBytes, meanUsedBytes, peakUsedBytes }) => ({
    node,
    mean: capacityBytes > 0 ? meanUsedBytes / capacityBytes : 0,
    peak: capacityBytes > 0 ? peakUsedBytes / capacityBytes : 0,
  }));
}
