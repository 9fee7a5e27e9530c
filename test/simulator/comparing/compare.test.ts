import { describe, expect, it } from "vitest";
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { clusterShorthand } from "../../../src/simulator/clusters/shorthand.ts";
import { type CompareOptions, compare } from "../../../src/simulator/comparing/compare.ts";
import type { SimulationInput } from "../../../src/simulator/comparing/run-task.ts";
import {
  openWorkload,
  readWorkloadSource,
  type WorkloadSource,
  workloadInput,
} from "../../../src/simulator/comparing/workload-input.ts";
import { DEFAULT_CONDITIONS } from "../../../src/simulator/scenario.ts";
import { variant } from "./fixtures.ts";

const GENERATED: WorkloadSource = { kind: "Generated", workload: { pods: 12, duration: 1200 }, options: {} };
const spec = migrationPolicySpecSchema.parse({ mode: "Enforce", podSelector: {}, pressure: { freeBelow: "30%" } });

const INPUT: SimulationInput = {
  name: "small",
  workload: workloadInput(GENERATED, readWorkloadSource(GENERATED), {}),
  nodes: clusterShorthand("3x16Gi") ?? [],
  endSeconds: 1200,
  conditions: DEFAULT_CONDITIONS,
  reserveFraction: 0.1,
  variants: [variant("none", "None"), variant("p", "Policy", { policies: [{ name: "p", spec }] })],
};

const compared = (options: Partial<CompareOptions> = {}) =>
  compare({ input: INPUT, seeds: [1, 2, 3], sweeps: [], workers: 1, keepRuns: false, ...options });

describe("comparing", () => {
  it("gives the same whatever the number of threads, and otherwise for other seeds", async () => {
    const one = (await compared()).comparison;
    expect((await compared({ workers: 3 })).comparison).toEqual(one);
    const others = (await compared({ seeds: [4, 5, 6] })).comparison;
    expect(others.variants[0]?.scores).not.toEqual(one.variants[0]?.scores);
  });

  it("gives every variant the same pods with the same seed: none and a policy that does nothing score the same", async () => {
    const idle = migrationPolicySpecSchema.parse({ podSelector: { matchLabels: { no: "such" } } });
    const variants = [variant("none", "None"), variant("idle", "Policy", { policies: [{ name: "idle", spec: idle }] })];
    const { comparison } = await compared({ input: { ...INPUT, variants } });
    const [none, policy] = comparison.variants;
    for (const score of ["kills", "lostPodHours", "jobsFinished", "utilisationMean"]) {
      expect(policy?.scores[score]?.perSeed).toEqual(none?.scores[score]?.perSeed);
    }
  });

  it("keeps the first seed's runs whole when a report wants them, and none otherwise", async () => {
    const { runs } = await compared({ keepRuns: true });
    expect(runs.map(({ variant: name, seed }) => [name, seed])).toEqual([
      ["none", 1],
      ["p", 1],
    ]);
    expect(runs[0]?.recordedSeconds?.length).toBeGreaterThan(10);
    expect((await compared()).runs).toEqual([]);
  });

  it("keeps whole seeds when it is stopped, and says how far it is", async () => {
    const stop = new AbortController();
    const progress: [number, number][] = [];
    const { comparison } = await compared({
      signal: stop.signal,
      onProgress(done, total) {
        progress.push([done, total]);
        if (done === 3) stop.abort();
      },
    });
    expect(progress).toEqual([
      [1, 6],
      [2, 6],
      [3, 6],
    ]);
    expect(comparison).toMatchObject({ seeds: [1], seedsAsked: 3 });
  });

  it.each([
    ["shows no run of a first seed that was stopped before all variants had it", 1, [], []],
    ["shows the runs of a first seed that was done when it was stopped", 2, [1], ["none", "p"]],
  ])("%s", async (_, stopAfter, seeds, shown) => {
    const stop = new AbortController();
    const { comparison, runs } = await compared({
      keepRuns: true,
      signal: stop.signal,
      onProgress: (done) => done === stopAfter && stop.abort(),
    });
    expect(comparison.seeds).toEqual(seeds);
    expect(runs.map((run) => run.variant)).toEqual(shown);
  });
});

describe("a workload", () => {
  it("has other pods with another seed, the same ones with the same, and the labels asked for", () => {
    const podsOf = openWorkload({ ...INPUT.workload, labels: { tier: "batch" } });
    expect(podsOf(1)).toEqual(podsOf(1));
    expect(podsOf(1)).not.toEqual(podsOf(2));
    expect(podsOf(1).every(({ labels }) => labels.tier === "batch" && labels.workload !== undefined)).toBe(true);
  });

  it("that is recorded is handed over as it is", () => {
    const recorded = { seeded: false, podsOf: () => [], endSeconds: 1 };
    expect(workloadInput(GENERATED, recorded, {})).toEqual({ source: { kind: "Pods", pods: [] }, labels: {} });
  });
});
