/** `npm run bench [-- WORD…]`: runs the benchmarks whose name holds one of the words, or all. */
import { evaluateGrowing } from "./benchmarks/evaluate.ts";
import { influxFirst, influxLater } from "./benchmarks/influx.ts";
import { seriesAppend, storeMerge } from "./benchmarks/series.ts";
import { type Benchmark, measure, renderSamples } from "./measure.ts";

const BENCHMARKS: readonly Benchmark[] = [evaluateGrowing, seriesAppend, storeMerge, influxFirst, influxLater];

const words = process.argv.slice(2);
const chosen = BENCHMARKS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
for (const benchmark of chosen) console.log(`${renderSamples(benchmark, await measure(benchmark))}\n`);
if (chosen.length === 0) {
  console.error(`no such benchmark; there are:\n${BENCHMARKS.map(({ name }) => `  ${name}`).join("\n")}`);
  process.exitCode = 2;
}
