/** Runs every variant with every seed, on several cores, and puts together what came of it. */
import type { RunRecord } from "../run-record.ts";
import { assemble, type RunResult } from "./assemble.ts";
import type { ComparisonReport, Sweep } from "./comparison.ts";
import type { SimulationInput, Task, TaskResult } from "./run-task.ts";
import { runInWorkers } from "./worker-pool.ts";
import { openWorkload } from "./workload-input.ts";

export interface CompareOptions {
  input: SimulationInput;
  /** Each once; at least one. */
  seeds: readonly number[];
  sweeps: Sweep[];
  /** Threads; the result does not depend on it. */
  workers: number;
  /** Keep the first seed's runs whole, for a report. */
  keepRuns: boolean;
  /** Stops early: what is done is kept. */
  signal?: AbortSignal;
  /** Of all runs. */
  onProgress?(done: number, total: number): void;
}

/** Seed after seed, so that what is interrupted has compared as many seeds as possible. */
export async function compare(options: CompareOptions): Promise<ComparisonReport> {
  const { input, seeds, sweeps, workers, signal, onProgress } = options;
  const tasks = tasksOf(options);
  const results = new Map(
    seeds.map((seed) => [seed, new Array<RunResult | undefined>(input.variants.length).fill(undefined)]),
  );
  const runs: (RunRecord | undefined)[] = [];
  let done = 0;
  await runInWorkers<SimulationInput, Task, TaskResult>({
    script: workerScript(),
    data: input,
    tasks,
    workers,
    signal,
    onResult({ seed, variant }, { run, scores, nodes }) {
      const ofSeed = results.get(seed);
      if (ofSeed !== undefined) ofSeed[variant] = { scores, nodes };
      if (run !== undefined) runs[variant] = run;
      done += 1;
      onProgress?.(done, tasks.length);
    },
  });
  const { variants, conditions } = input;
  const comparison = assemble({
    scenario: scenarioFacts(input, seeds[0] ?? 0),
    conditions,
    seedsAsked: seeds.length,
    variants,
    sweeps,
    results,
  });
  const compared = new Set(comparison.seeds);
  return { comparison, runs: runs.filter((run) => run !== undefined).filter(({ seed }) => compared.has(seed)) };
}

function tasksOf({ input, seeds, keepRuns }: CompareOptions): Task[] {
  return seeds.flatMap((seed, index) =>
    input.variants.map((_, variant) => ({ seed, variant, whole: keepRuns && index === 0 })),
  );
}

function scenarioFacts({ name, nodes, workload, endSeconds, reserveFraction }: SimulationInput, seed: number) {
  return { name, nodes: nodes.length, pods: openWorkload(workload)(seed).length, endSeconds, reserveFraction };
}

/** From a checkout it is run as it is written, from dist as it was built. */
function workerScript(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);
}
