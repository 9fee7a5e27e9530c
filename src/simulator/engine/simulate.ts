/** One simulated run: what a policy would have done to a cluster. Deterministic: equal input and seed give an equal record. */
import type { Policy } from "../../planning/policy.ts";
import type { NodeRecord, PodRecord, RunRecord } from "../run-record.ts";
import type { Scenario } from "../scenario.ts";
import { checkScenario } from "./check-scenario.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import { Simulation } from "./simulation.ts";

export interface SimulateOptions {
  /** Names the run in its record. */
  variant: string;
  /** None: nobody moves anything. One in DryRun is simulated as if it enforced. */
  policies: readonly Policy[];
  seed: number;
  /** Part of a node's capacity; free memory below it counts as above reserve. */
  reserve: number;
  /** Every node's highest use is recorded for stretches of this length. */
  timeline?: { everySeconds: number };
  /** Decisions are recorded with their reasons. */
  decisions?: boolean;
  /** Planning is given the truth: figures without delay, and what memory will be. */
  foresight?: boolean;
  /** Looked at as often as `onProgress` is called; throws its reason. */
  signal?: AbortSignal;
  /** The part that is done, 0 to 1; about a hundred times. */
  onProgress?(done: number): void;
}

/**
 * @example
 * const record = simulate(scenario, { variant: "none", policies: [], seed: 1, reserve: 0.1 });
 * record.events.filter(({ kind }) => kind === "Killed").length;
 */
export function simulate(scenario: Scenario, options: SimulateOptions): RunRecord {
  checkScenario(scenario);
  const { variant, seed, reserve, decisions = false } = options;
  const { endSeconds } = scenario;
  const simulation = new Simulation(scenario, {
    policies: options.policies,
    seed,
    reserve,
    timeline: options.timeline,
    decisions,
    foresight: options.foresight ?? false,
  });
  simulation.run(progress(endSeconds, options));
  const { operator, timeline, forecasts } = simulation;
  return {
    variant,
    seed,
    endSeconds,
    events: simulation.events,
    pods: simulation.pods.map((pod) => podRecord(pod, endSeconds)),
    nodes: simulation.nodes.map((node) => nodeRecord(node, endSeconds, timeline?.of(node))),
    reserve,
    evaluations: operator.evaluations,
    ...(forecasts && { forecast: forecasts.record }),
    ...(timeline && { recordedSeconds: timeline.seconds }),
    ...(decisions && { decisions: operator.decisions }),
  };
}

function progress(endSeconds: number, { signal, onProgress }: SimulateOptions): (seconds: number) => void {
  let told = 0;
  return (seconds) => {
    const percent = Math.floor((seconds / endSeconds) * 100);
    if (percent <= told) return;
    told = percent;
    onProgress?.(percent / 100);
    signal?.throwIfAborted();
  };
}

function podRecord(pod: PodRun, endSeconds: number): PodRecord {
  const finished = pod.state === "Finished";
  const worked = pod.state === "Running" ? pod.clock.workAt(endSeconds) : 0;
  return { ...pod.record, workedSeconds: finished ? (pod.record.durationSeconds ?? worked) : worked };
}

function nodeRecord({ name, capacityBytes, tally }: NodeRun, endSeconds: number, used?: Float64Array): NodeRecord {
  return {
    node: name,
    capacityBytes,
    meanUsedBytes: tally.byteSeconds / endSeconds,
    peakUsedBytes: tally.peakBytes,
    aboveReserveByteSeconds: tally.aboveLineByteSeconds,
    ...(used && { usedBytes: used }),
  };
}
