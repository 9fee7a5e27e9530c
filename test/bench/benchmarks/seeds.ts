/** A comparison of many seeds on one core, then on more: by the clock, for that is what threads are for. */
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { compare } from "../../../src/simulator/comparing/compare.ts";
import type { SimulationInput } from "../../../src/simulator/comparing/run-task.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";

export const SEEDS = "seeds: a comparison on one core and on more";

const SEED_COUNT = 60;
const GIB = 1024 ** 3;
const SPEC = migrationPolicySpecSchema.parse({
  podSelector: {},
  evaluationInterval: "60s",
  pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "5m", model: "Linear" } },
});

const INPUT: SimulationInput = {
  name: "bench",
  workload: { source: { kind: "Generated", workload: {}, options: {} }, labels: {} },
  nodes: Array.from({ length: 10 }, (_, index) => ({ name: `n${index}`, capacityBytes: 64 * GIB })),
  endSeconds: 4 * 3600,
  conditions: DEFAULT_CONDITIONS,
  reserveFraction: 0.1,
  variants: [
    { name: "none", role: "None", policy: "none", parameters: [], policies: [] },
    { name: "bench", role: "Policy", policy: "bench", parameters: [], policies: [{ name: "bench", spec: SPEC }] },
  ],
};

export async function seedsOnCores(): Promise<string> {
  const cores = availableParallelism();
  const counts = [1, 2, 4, 8, 16, 32, 64].filter((workers) => workers <= cores);
  let alone = Number.NaN;
  for (const workers of new Set([...counts, cores])) {
    const seconds = await secondsWith(workers);
    if (workers === 1) alone = seconds;
    const gain = workers === 1 ? "" : `   ×${(alone / seconds).toFixed(2)}`;
    console.log(
      `  ${SEED_COUNT} seeds, ${String(workers).padStart(3)} workers ${seconds.toFixed(2).padStart(8)} s${gain}`,
    );
  }
  return "";
}

async function secondsWith(workers: number): Promise<number> {
  const seeds = Array.from({ length: SEED_COUNT }, (_, index) => index + 1);
  const start = performance.now();
  await compare({ input: INPUT, seeds, sweeps: [], workers, keepRuns: false });
  return (performance.now() - start) / 1000;
}
