/** `npm run bench [-- WORD…]`: runs the benchmarks whose name holds one of the words, or all. */
import { evaluateGrowing } from "./benchmarks/evaluate.ts";
import { IDLE_CONTROLLER, idleController } from "./benchmarks/idle-controller.ts";
import { influxFirst, influxLater } from "./benchmarks/influx.ts";
import { jointPlan } from "./benchmarks/joint.ts";
import { optimalSelection } from "./benchmarks/optimal.ts";
import { PLANNING_SCALE, planningScale } from "./benchmarks/planning-scale.ts";
import { snapshotRead } from "./benchmarks/read-snapshot.ts";
import { REGRET, regret } from "./benchmarks/regret.ts";
import { SEEDS, seedsOnCores } from "./benchmarks/seeds.ts";
import { seriesAppend, storeMerge } from "./benchmarks/series.ts";
import { SIMULATED_DAY, SIMULATOR, simulatedDay, simulator } from "./benchmarks/simulator.ts";
import { measure, renderSamples } from "./measure.ts";

interface Entry {
  name: string;
  /** What was found, below the name. */
  run(): Promise<string>;
  /** Takes so long that it must be asked for. */
  onRequest?: boolean;
}

const growing = [
  evaluateGrowing,
  optimalSelection,
  jointPlan,
  seriesAppend,
  storeMerge,
  snapshotRead,
  influxFirst,
  influxLater,
];
const ENTRIES: readonly Entry[] = [
  ...growing.map((benchmark) => ({
    name: benchmark.name,
    run: async () => renderSamples(benchmark.unit, await measure(benchmark)),
  })),
  { name: PLANNING_SCALE, run: planningScale },
  { name: IDLE_CONTROLLER, run: idleController },
  { name: SIMULATOR, run: simulator },
  { name: SEEDS, run: seedsOnCores },
  { name: SIMULATED_DAY, run: simulatedDay, onRequest: true },
  { name: REGRET, run: regret },
];

const words = process.argv.slice(2);
const chosen = ENTRIES.filter(({ name, onRequest = false }) =>
  words.length === 0 ? !onRequest : words.some((word) => name.includes(word)),
);
for (const { name, run } of chosen) {
  console.log(name);
  console.log(`${await run()}\n`);
}
if (chosen.length === 0) {
  console.error(`no such benchmark; there are:\n${ENTRIES.map(({ name }) => `  ${name}`).join("\n")}`);
  process.exitCode = 2;
}
