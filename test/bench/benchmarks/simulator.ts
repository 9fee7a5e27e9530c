/** Whole simulated runs, in this process: how long they take, and how that grows with the cluster. */
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { type Policy, toPolicy } from "../../../src/planning/policy.ts";
import { simulate } from "../../../src/simulator/engine/simulate.ts";
import { randomOf } from "../../../src/simulator/random.ts";
import type { RunRecord } from "../../../src/simulator/run-record.ts";
import {
  DEFAULT_CONDITIONS,
  type Scenario,
  type SimulatedNode,
  type SimulatedPod,
  type Trace,
} from "../../../src/simulator/scenario.ts";

export const SIMULATOR = "simulator: runs of 4 h and 24 h, evaluated every minute";

const GIB = 1024 ** 3;
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
  ...[20, 80, 320].flatMap((nodes) => [
    { pods: 20 * nodes, nodes, hours: 4, policy: "threshold" },
    { pods: 20 * nodes, nodes, hours: 4, policy: "linear forecast" },
  ]),
];

/** Asked for by their name only: they take minutes. */
const LONG: readonly Case[] = ["no policy", "threshold", "linear forecast"].map((policy) => ({
  pods: 20_000,
  nodes: 1000,
  hours: 24,
  policy,
}));

export async function simulator(long = process.argv.includes("simulator-long")): Promise<string> {
  const lines: string[] = [];
  for (const one of long ? LONG : CASES) lines.push(benchLine(one));
  return lines.join("\n");
}

export function benchLine(one: Case): string {
  const scenario = busyCluster(one);
  const policies = policiesOf(one.policy);
  const { record, seconds } = fastest(() => run(scenario, policies), one.hours > 4 ? 1 : 3);
  const podTicks = (one.pods * one.hours * HOUR) / scenario.conditions.tickSeconds;
  const kills = record.events.filter(({ kind }) => kind === "Killed").length;
  const moves = record.events.filter(({ kind }) => kind === "MoveStarted").length;
  const rssMiB = process.memoryUsage().rss / 1024 ** 2;
  return `  ${`${one.pods} pods`.padStart(11)}, ${`${one.nodes} nodes`.padStart(10)}, ${one.hours} h, ${one.policy.padEnd(16)} ${seconds.toFixed(3).padStart(8)} s  ${((seconds / podTicks) * 1e9).toFixed(0).padStart(4)} ns per pod and tick  ${kills} kills, ${moves} moves, ${rssMiB.toFixed(0)} MiB`;
}

/** Seconds of this process's CPU time, so that what else runs on the machine counts less. */
function fastest(work: () => RunRecord, times: number): { record: RunRecord; seconds: number } {
  let record = times > 1 ? work() : undefined;
  let seconds = Number.POSITIVE_INFINITY;
  for (let count = 0; count < times; count++) {
    const before = process.cpuUsage();
    record = work();
    const { user, system } = process.cpuUsage(before);
    seconds = Math.min(seconds, (user + system) / 1e6);
  }
  return { record: record ?? work(), seconds };
}

const run = (scenario: Scenario, policies: readonly Policy[]) =>
  simulate(scenario, { variant: "bench", policies, seed: 1, reserve: 0.1 });

function policiesOf(name: string): Policy[] {
  if (name === "no policy") return [];
  const pacing = { strategy: "Concurrent", maxMovesPerEvaluation: 5 };
  const spec = { podSelector: {}, evaluationInterval: "60s", pacing, ...MODELS[name] };
  return [toPolicy("bench", migrationPolicySpecSchema.parse(spec))];
}

/** Nodes of 64 GiB, which the pods together fill to about three quarters; a sample every minute; one in twenty grows all the time. */
function busyCluster({ pods, nodes, hours }: Case): Scenario {
  const endSeconds = hours * HOUR;
  const meanBytes = (0.75 * 64 * GIB * nodes) / pods;
  return {
    name: "bench",
    nodes: Array.from({ length: nodes }, (_, index): SimulatedNode => ({ name: `n${index}`, capacityBytes: 64 * GIB })),
    pods: Array.from({ length: pods }, (_, index) => busyPod(index, meanBytes, endSeconds)),
    endSeconds,
    conditions: DEFAULT_CONDITIONS,
  };
}

function busyPod(index: number, meanBytes: number, endSeconds: number): SimulatedPod {
  const random = randomOf(1, "bench", index);
  const trace = busyTrace(meanBytes * (0.5 + random.next()), index % 20 === 0 ? 2 : 0, endSeconds, random);
  return {
    namespace: "default",
    name: `pod-${index}`,
    arrivalSeconds: Math.floor(random.next() * 600),
    durationSeconds: endSeconds * (0.5 + random.next()),
    trace,
    requestBytes: meanBytes,
    labels: {},
    annotations: {},
  };
}

function busyTrace(bytes: number, growth: number, endSeconds: number, random: { next(): number }): Trace {
  const count = Math.floor(endSeconds / 60);
  return {
    seconds: Float64Array.from({ length: count }, (_, minute) => minute * 60),
    bytes: Float64Array.from(
      { length: count },
      (_, minute) => bytes * (0.8 + 0.4 * random.next()) * (1 + (growth * minute) / count),
    ),
  };
}
