/** The workloads and policies whose scores are kept: small enough for every test run, varied enough to notice what gets worse. */
import type { z } from "zod";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import type { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { readPolicyObject } from "../../../src/cli/plan/read-documents.ts";
import { clusterShorthand } from "../../../src/simulator/clusters/shorthand.ts";
import { openRuns, type SimulationInput } from "../../../src/simulator/comparing/run-task.ts";
import { firstSeeds, SCORE_SEEDS } from "../../../src/simulator/comparing/seeds.ts";
import { type NamedSpec, readVariants, type Variant } from "../../../src/simulator/comparing/variants.ts";
import {
  readWorkloadSource,
  type WorkloadSource,
  workloadInput,
} from "../../../src/simulator/comparing/workload-input.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";
import { withRegret } from "../../../src/simulator/scores/regret.ts";
import type { KeptScores, ScoresByVariant } from "./judge.ts";

/** Never those that parameters are tuned on, nor those of the study. */
const SEEDS = firstSeeds(SCORE_SEEDS, 32);

/** Those that say whether planning got worse; the others follow from them. */
export const JUDGED = [
  "kills",
  "podsKilled",
  "lostPodHours",
  "jobsFinished",
  "slowDownMean",
  "aboveReserveGibHours",
  "gibMoved",
  "movesPerHour",
  "pingPong",
  "downtimeSeconds",
  "nodesFull",
  "regret",
];

type Generated = Extract<WorkloadSource, { kind: "Generated" }>["workload"];

type SpecInput = Omit<z.input<typeof migrationPolicySpecSchema>, "podSelector">;

interface SuiteWorkload {
  model: "LastValue" | "Linear";
  workload: Generated;
  /** Beside those that every workload has. */
  more?: Readonly<Record<string, SpecInput>>;
}

/** Forecasts as they are by default, with all models: the dearest, so with one workload and in turns of two minutes. */
const AUTO: SpecInput = {
  evaluationInterval: "120s",
  pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { confidence: 0.8 } },
};

/** Each on three nodes of 24 GiB that it fills so far that most seeds need moves. */
const CLUSTER = "3x24Gi";
const PEAK = { distribution: "BoundedPareto", min: "1Gi", max: "12Gi", shape: 1.1 } as const;
const WORKLOADS: Readonly<Record<string, SuiteWorkload>> = {
  mixed: {
    model: "LastValue",
    more: { auto: AUTO },
    workload: { pods: 46, duration: "1h", peak: PEAK, arrivals: { pattern: "Poisson", atStart: 0.6 } },
  },
  growing: {
    model: "Linear",
    workload: {
      pods: 40,
      duration: "1h",
      peak: PEAK,
      kinds: { leak: 50, rampPlateau: 50 },
      arrivals: { pattern: "Poisson", atStart: 0.7 },
    },
  },
};

/** Samples every 30 s: forecasts cost by the sample. */
const CONDITIONS = { ...DEFAULT_CONDITIONS, metrics: { ...DEFAULT_CONDITIONS.metrics, intervalSeconds: 30 } };

const policiesWith = (model: SuiteWorkload["model"]): Readonly<Record<string, SpecInput>> => ({
  threshold: { pressure: { strategy: "Threshold", freeBelow: "20%" } },
  slope: { pressure: { strategy: "Slope", freeBelow: "10%" }, selection: { strategy: "BigEnough" } },
  forecast: {
    pressure: { strategy: "Forecast", freeBelow: "5%", forecast: { confidence: 0.8, model } },
    selection: { strategy: "Cheapest" },
    placement: { strategy: "MostHeadroom" },
    pacing: { strategy: "Concurrent", maxMovesPerEvaluation: 5 },
  },
  gated: {
    pressure: { strategy: "Threshold", freeBelow: "15%" },
    selection: { strategy: "Optimal" },
    pacing: { strategy: "Concurrent", maxMovesPerEvaluation: 5 },
    schedulingGate: { closeAbove: "80%", reopenBelow: "65%" },
  },
});

/** Runs all of it, in this thread: a few seconds. */
export function currentScores(): KeptScores {
  const workloads = Object.entries(WORKLOADS).map(([name, { workload, ...policies }]): [string, ScoresByVariant] => {
    const source: WorkloadSource = { kind: "Generated", workload, options: {} };
    const read = readWorkloadSource(source);
    return [
      name,
      scoresOf({
        name,
        workload: workloadInput(source, read, {}),
        nodes: clusterShorthand(CLUSTER) ?? [],
        endSeconds: read.endSeconds,
        conditions: CONDITIONS,
        reserveFraction: 0.1,
        variants: suiteVariants(policies),
      }),
    ];
  });
  return { seeds: SEEDS, workloads: Object.fromEntries(workloads) };
}

/** What the policies of all workloads ask for, with their defaults. */
export function suiteSpecs(): NamedSpec["spec"][] {
  const variants = Object.values(WORKLOADS).flatMap(suiteVariants);
  return variants.flatMap(({ role, policies }) => (role === "Policy" ? policies.map(({ spec }) => spec) : []));
}

function suiteVariants({ model, more }: Pick<SuiteWorkload, "model" | "more">): Variant[] {
  const sets = Object.entries({ ...policiesWith(model), ...more }).map(([name, spec]) => {
    const object = {
      apiVersion: API_VERSION,
      kind: "MigrationPolicy",
      metadata: { name },
      spec: { podSelector: {}, evaluationInterval: "60s", ...spec },
    };
    return { name, objects: [{ label: name, object }] };
  });
  const read = readVariants(sets, [], readPolicyObject);
  if (!read.ok) throw new Error(read.lines.join("\n"));
  return read.value.variants;
}

function scoresOf(input: SimulationInput): ScoresByVariant {
  const run = openRuns(input);
  const bySeed = SEEDS.map((seed) => {
    const scores = input.variants.map((_, variant) => run({ seed, variant, whole: false }).scores);
    const reference = scores[input.variants.findIndex(({ role }) => role === "Clairvoyant")] ?? {};
    return scores.map((one) => withRegret(one, reference));
  });
  return Object.fromEntries(
    input.variants.map(({ name }, index) => [
      name,
      Object.fromEntries(
        JUDGED.map((score) => [score, bySeed.map((scores) => rounded(scores[index]?.[score] ?? null))]),
      ),
    ]),
  );
}

/** Five digits: what is kept is to be read, and shall not depend on the last bit. */
const rounded = (value: number | null) => (value === null ? null : Number(value.toPrecision(5)));
