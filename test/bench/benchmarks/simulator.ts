/** Whole simulated runs, in this process: how long they take, and how that grows with the cluster. */
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../../src/planning/policy.ts";
import { simulate } from "../../../src/simulator/engine/simulate.ts";
import type { RunRecord } from "../../../src/simulator/run-record.ts";
import { DEFAULT_CONDITIONS, type Scenario, type SimulatedNode } from "../../../src/simulator/scenario.ts";
import { generateWorkload } from "../../../src/simulator/workloads/generator/generate.ts";
import { generatedWorkloadSchema } from "../../../src/simulator/workloads/generator/generated-workload.ts";

export const SIMULATOR = "simulator: runs of 4 h, evaluated every minute";
export const SIMULATED_DAY = "day: simulated runs of 24 h on 1,000 nodes, evaluated every minute";

const GIB = 1024 ** 3;
/** Forty pods to 64 GiB, as the generator reckons; no node so small that its biggest pod fills it. */
const nodeBytes = ({ pods, nodes }: Case) => Math.max(48, (64 / 40) * (pods / nodes)) * GIB;
const HOUR = 3600;

interface Case {
  pods: number;
  nodes: number;
  hours: number;
  policy: string;
}

const MODELS: Record<string, object> = {
  "no policy": {},
  threshold: { pressure: { strategy: "Threshold", freeBelow: "20%" } },
  "linear forecast": {
    pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "5m", model: "Linear" } },
  },
  "auto forecast": { pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "5m", model: "Auto" } } },
};

const CASES: readonly Case[] = [
  ...["no policy", "threshold", "linear forecast", "auto forecast"].map((policy) => ({
    pods: 500,
    nodes: 10,
    hours: 4,
    policy,
  })),
  ...[20, 40, 80, 160].map((nodes) => ({ pods: 50 * nodes, nodes, hours: 4, policy: "threshold" })),
  ...[20, 40].map((nodes) => ({ pods: 50 * nodes, nodes, hours: 4, policy: "linear forecast" })),
];

const DAY: readonly Case[] = ["no policy", "threshold", "linear forecast"].map((policy) => ({
  pods: 20_000,
  nodes: 1000,
  hours: 24,
  policy,
}));

export const simulator = () => table(CASES);
export const simulatedDay = () => table(DAY);

/** A line as soon as its case has been run. */
async function table(cases: readonly Case[]): Promise<string> {
  for (const one of cases) console.log(benchLine(one));
  return "";
}

function benchLine(one: Case): string {
  const scenario = busyCluster(one);
  const policies = policiesOf(one.policy);
  const { record, firstSeconds, seconds, wallSeconds } = timed(() => run(scenario, policies), one.pods > 500 ? 1 : 5);
  const podTicks = (one.pods * one.hours * HOUR) / scenario.conditions.tickSeconds;
  const kills = record.events.filter(({ kind }) => kind === "Killed").length;
  const moves = record.events.filter(({ kind }) => kind === "MoveStarted").length;
  const rssMiB = process.memoryUsage().rss / 1024 ** 2;
  return `  ${`${one.pods} pods`.padStart(11)}, ${`${one.nodes} nodes`.padStart(10)}, ${one.hours} h, ${one.policy.padEnd(16)} ${seconds.toFixed(3).padStart(8)} s (the first ${firstSeconds.toFixed(3)} s; by the clock ${wallSeconds.toFixed(3)} s)  ${((seconds / podTicks) * 1e9).toFixed(0).padStart(4)} ns per pod and tick  ${kills} kills, ${moves} moves, ${rssMiB.toFixed(0)} MiB`;
}

interface Timed {
  record: RunRecord;
  /** Of the first run, in which much of the code is compiled. */
  firstSeconds: number;
  /** Of the fastest. */
  seconds: number;
  /** By the clock, of the fastest by it. */
  wallSeconds: number;
}

/** Seconds of this process's CPU time, of all threads, so that what else runs on the machine counts less; and by the clock. */
function timed(work: () => RunRecord, times: number): Timed {
  const runs = Array.from({ length: times }, () => {
    const before = process.cpuUsage();
    const start = performance.now();
    const record = work();
    const wallSeconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    return { record, seconds: (user + system) / 1e6, wallSeconds };
  });
  const [first] = runs;
  if (first === undefined) throw new RangeError("at least one run");
  const seconds = Math.min(...runs.map((one) => one.seconds));
  const wallSeconds = Math.min(...runs.map((one) => one.wallSeconds));
  return { record: first.record, firstSeconds: first.seconds, seconds, wallSeconds };
}

const run = (scenario: Scenario, policies: readonly Policy[]) =>
  simulate(scenario, { variant: "bench", policies, seed: 1, reserve: 0.1 });

function policiesOf(name: string): Policy[] {
  if (name === "no policy") return [];
  const pacing = { strategy: "Concurrent", maxMovesPerEvaluation: 5 };
  const spec = { podSelector: {}, evaluationInterval: "60s", pacing, ...MODELS[name] };
  return [toPolicy("bench", migrationPolicySpecSchema.parse(spec))];
}

/** The generator's pods as they are by default; in a day each lasts six times as long as in four hours. */
function busyCluster({ pods, nodes, hours, policy }: Case): Scenario {
  const times = hours / 4;
  const capacityBytes = nodeBytes({ pods, nodes, hours, policy });
  const workload = generatedWorkloadSchema.parse({
    apiVersion: API_VERSION,
    kind: "GeneratedWorkload",
    duration: `${hours}h`,
    pods,
    runtime: { distribution: "BoundedPareto", min: `${15 * times}m`, max: `${8 * times}h`, shape: 0.9 },
    points: 60 * times,
  });
  return {
    name: "bench",
    nodes: Array.from({ length: nodes }, (_, index): SimulatedNode => ({ name: `n${index}`, capacityBytes })),
    pods: generateWorkload(workload, 1),
    endSeconds: hours * HOUR,
    conditions: DEFAULT_CONDITIONS,
  };
}
