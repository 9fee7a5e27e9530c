/** Measuring and printing. Times depend on the machine, so nothing is asserted by time: medians, and how they grow with the work. */
import { performance } from "node:perf_hooks";

export interface Sample {
  /** The work's size, e.g. the number of nodes. */
  size: number;
  medianMs: number;
}

export interface Benchmark {
  name: string;
  /** What grows: "nodes", "samples". */
  unit: string;
  sizes: readonly number[];
  /** Prepares work of this size; what it returns is measured. */
  prepare(size: number): (() => void | Promise<void>) | Promise<() => void | Promise<void>>;
  /** Runs after the last size, whatever happened. */
  close?(): Promise<void>;
}

const WARM_UP_RUNS = 2;
const RUNS = 9;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export async function measure(benchmark: Benchmark): Promise<Sample[]> {
  const samples: Sample[] = [];
  try {
    for (const size of benchmark.sizes) samples.push({ size, medianMs: await medianOf(await benchmark.prepare(size)) });
  } finally {
    await benchmark.close?.();
  }
  return samples;
}

async function medianOf(run: () => void | Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < WARM_UP_RUNS + RUNS; count++) {
    const start = performance.now();
    await run();
    if (count >= WARM_UP_RUNS) times.push(performance.now() - start);
  }
  return median(times);
}

/** One line for each size; from the second on with the growth of work and time against the one before. */
export function renderSamples(unit: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ size, medianMs }, index) => {
    const before = samples[index - 1];
    const growth =
      before === undefined ? "" : `   work ×${ratio(size, before.size)}, time ×${ratio(medianMs, before.medianMs)}`;
    return `  ${String(size).padStart(7)} ${unit.padEnd(8)} ${medianMs.toFixed(3).padStart(10)} ms${growth}`;
  });
  return lines.join("\n");
}

function ratio(value: number, before: number): string {
  return (value / before).toFixed(1);
}
