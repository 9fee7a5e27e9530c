/**
 * A decision for clusters of five sizes, up to 5,000 nodes with 150,000 pods and 20 samples each, one node in a hundred short. Each
 * size runs in a process of its own, so that its memory can be told: `node planning-scale.ts STRATEGY NODES` is one of them.
 */
import { execFile } from "node:child_process";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { evaluate } from "../../../src/planning/evaluate.ts";
import { policy, type SpecInput } from "../../planning/fixtures.ts";
import { median } from "../measure.ts";
import { bigCluster } from "./big-cluster.ts";

export const PLANNING_SCALE = "evaluate at scale: 30 pods a node, 20 samples each, one node in a hundred short";

const SIZES = [500, 1000, 2000, 3500, 5000] as const;
const PODS_PER_NODE = 30;
const SAMPLES = 20;
const RUNS = 5;

const WITH_RULES = "Threshold, every pod with anti-affinity and topology spread, 50 pods to an application";
const PRESSURES: Readonly<Record<string, NonNullable<SpecInput["pressure"]>>> = {
  Threshold: { strategy: "Threshold", freeBelow: "20%" },
  [WITH_RULES]: { strategy: "Threshold", freeBelow: "20%" },
  Slope: { strategy: "Slope", freeBelow: "20%" },
  "Forecast, Linear": { strategy: "Forecast", freeBelow: "20%", forecast: { model: "Linear" } },
  "Forecast, Auto": { strategy: "Forecast", freeBelow: "20%", forecast: { model: "Auto" } },
};

const resultSchema = z.object({
  /** Of the first evaluation, before the compiler has seen the code. */
  firstMs: z.number(),
  medianMs: z.number(),
  /** Processor time, of all threads: hardly longer on a busy machine. */
  processorMs: z.number(),
  peakMebibytes: z.number(),
  moves: z.number(),
});
type Result = z.infer<typeof resultSchema>;

/** A table for each way to find pressure. */
export async function planningScale(): Promise<string> {
  const tables: string[] = [];
  for (const strategy of Object.keys(PRESSURES)) {
    const rows: Row[] = [];
    for (const nodes of SIZES) rows.push({ nodes, ...(await inOwnProcess(strategy, nodes)) });
    tables.push(`  ${strategy}\n${rows.map((row, index) => render(row, rows[index - 1])).join("\n")}`);
  }
  return tables.join("\n");
}

type Row = Result & { nodes: number };

function render(row: Row, before: Row | undefined): string {
  const { nodes, medianMs, processorMs, firstMs, peakMebibytes, moves } = row;
  const growth =
    before === undefined
      ? ""
      : `   work ×${(nodes / before.nodes).toFixed(1)}, time ×${(processorMs / before.processorMs).toFixed(1)}`;
  const times = `${medianMs.toFixed(1).padStart(9)} ms (processor ${processorMs.toFixed(0)} ms, first ${firstMs.toFixed(0)} ms)`;
  const work = `${String(nodes).padStart(7)} nodes ${String(nodes * PODS_PER_NODE).padStart(7)} pods`;
  return `  ${work} ${times}, ${moves} moves, ${peakMebibytes.toFixed(0)} MiB at most${growth}`;
}

async function inOwnProcess(strategy: string, nodes: number): Promise<Result> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    fileURLToPath(import.meta.url),
    strategy,
    String(nodes),
  ]);
  return resultSchema.parse(JSON.parse(stdout));
}

function measureOne(strategy: string, nodes: number): Result {
  const size = { nodes, pods: nodes * PODS_PER_NODE, samples: SAMPLES, shortEvery: 100 };
  const snapshot = bigCluster({ ...size, podsPerApplication: strategy === WITH_RULES ? 50 : 0 });
  const pressure = PRESSURES[strategy];
  if (pressure === undefined) throw new RangeError(`no pressure strategy ${strategy}`);
  const concurrent = { maxPerNode: 2, maxPerCluster: 1000 };
  const policies = [policy({ pressure, pacing: { strategy: "Concurrent", concurrent, maxMovesPerEvaluation: 100 } })];
  const times: number[] = [];
  const processor: number[] = [];
  let moves = 0;
  for (let run = 0; run <= RUNS; run++) {
    const [start, used] = [performance.now(), process.cpuUsage()];
    moves = evaluate(snapshot, policies).decision.moves.length;
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1000);
  }
  const [firstMs = Number.NaN, ...later] = times;
  const peakMebibytes = process.resourceUsage().maxRSS / 1024;
  return { firstMs, medianMs: median(later), processorMs: median(processor.slice(1)), peakMebibytes, moves };
}

const [script, strategy, nodes] = process.argv.slice(1);
if (script === fileURLToPath(import.meta.url) && strategy !== undefined) {
  console.log(JSON.stringify(measureOne(strategy, Number(nodes))));
}
