import { readFileSync } from "node:fs";
import fc from "fast-check";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { BrokenInputError } from "../../../src/simulator/input/broken-input.ts";
import type { SimulatedPod } from "../../../src/simulator/scenario.ts";
import { peakBytes } from "../../../src/simulator/workloads/described-pod.ts";
import { generateWorkload } from "../../../src/simulator/workloads/generator/generate.ts";
import {
  generatedWorkloadSchema,
  type WrittenGeneratedWorkload,
} from "../../../src/simulator/workloads/generator/generated-workload.ts";
import { readTraceFiles } from "../../../src/simulator/workloads/read-trace-files.ts";
import { readWorkload } from "../../../src/simulator/workloads/read-workload.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const HEAD = { apiVersion: "headroom.dev/v1alpha1", kind: "GeneratedWorkload" } as const;
const spec = (fields: Partial<WrittenGeneratedWorkload> = {}) => generatedWorkloadSchema.parse({ ...HEAD, ...fields });
const generate = (fields: Partial<WrittenGeneratedWorkload> = {}, seed = 1) => generateWorkload(spec(fields), seed);
const only = (kind: "idle" | "rampPlateau" | "step" | "spikeRelease" | "leak") => ({ kinds: { [kind]: 1 } });
const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const byName = (pods: readonly SimulatedPod[]) => [...pods].sort((a, b) => (a.name < b.name ? -1 : 1));
const partAt = ({ trace }: SimulatedPod, index: number) => (trace.bytes.at(index) ?? 0) / peakBytes(trace);

describe("a generated workload", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(generate({}, 7)).toEqual(generate({}, 7));
    expect(generate({}, 7)).not.toEqual(generate({}, 8));
  });

  it("the first pods stay as they are when more are asked for", () => {
    const names = new Set(generate({ pods: 20 }).map((pod) => pod.name.replace(/-0*(?=\d)/, "-")));
    const more = generate({ pods: 2000 }).map((pod) => ({ ...pod, name: pod.name.replace(/-0*(?=\d)/, "-") }));
    const few = generate({ pods: 20 }).map((pod) => ({ ...pod, name: pod.name.replace(/-0*(?=\d)/, "-") }));
    expect(more.filter(({ name }) => names.has(name))).toEqual(few);
  });

  it("has traces that the engine can follow, whatever is asked for", () => {
    const fields = fc.record({
      pods: fc.integer({ min: 0, max: 60 }),
      duration: fc.integer({ min: 1, max: 100_000 }),
      noise: fc.constantFrom(0, 0.02, 1),
      points: fc.integer({ min: 8, max: 200 }),
      endless: fc.constantFrom(0, 0.5, 1),
      runtime: fc.constantFrom(
        { distribution: "LogNormal", median: "1m", sigma: 3, min: 1, max: "48h" } as const,
        undefined,
      ),
      arrivals: fc.constantFrom({ pattern: "AtStart" } as const, { pattern: "Bursts", count: 2 } as const, undefined),
    });
    fc.assert(
      fc.property(fields, fc.nat(), ({ runtime, arrivals, ...rest }, seed) => {
        const options = { ...rest, ...(runtime && { runtime }), ...(arrivals && { arrivals }) };
        for (const pod of generate(options, seed)) expect(flawOf(pod, options.points)).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it("does what its kinds say", () => {
    for (const pod of generate(only("idle")))
      expect(Math.min(...pod.trace.bytes) / peakBytes(pod.trace)).toBeGreaterThan(0.7);
    for (const pod of generate(only("leak"))) expect([partAt(pod, 0) < 0.5, partAt(pod, -1)]).toEqual([true, 1]);
    for (const pod of generate(only("step"))) expect([partAt(pod, 0) < 0.35, partAt(pod, -1)]).toEqual([true, 1]);
    for (const pod of generate(only("rampPlateau")))
      expect([partAt(pod, 0) < 0.2, partAt(pod, -1) > 0.5]).toEqual([true, true]);
    for (const pod of generate(only("spikeRelease")))
      expect([partAt(pod, 0) < 0.4, partAt(pod, -1) < 0.4]).toEqual([true, true]);
  });

  it("has kinds by weight, and says which on a label", () => {
    const pods = generate({ pods: 2000, kinds: { idle: 3, leak: 1 }, labels: { tier: "batch" } });
    const leaks = pods.filter(({ labels }) => labels.workload === "leak");
    expect(leaks.length / pods.length).toBeCloseTo(0.25, 1);
    expect(pods.every(({ labels, name }) => labels.tier === "batch" && name.startsWith(labels.workload ?? "?"))).toBe(
      true,
    );
  });

  it("has heavy-tailed peaks within their bounds", () => {
    const peaks = generate({ pods: 5000 })
      .map(({ trace }) => peakBytes(trace))
      .sort((a, b) => a - b);
    expect(peaks[0]).toBeGreaterThanOrEqual(2 * GiB - 1);
    expect(peaks.at(-1)).toBeLessThanOrEqual(32 * GiB);
    // Bounded Pareto with shape 1.1 from 2 to 32 GiB.
    const quantile = (part: number) => 2 * (1 - part * (1 - (2 / 32) ** 1.1)) ** (-1 / 1.1);
    for (const part of [0.25, 0.5, 0.9]) {
      expect((peaks[part * 5000] ?? 0) / GiB / quantile(part), `${part}`).toBeCloseTo(1, 1);
    }
    expect((peaks[4950] ?? 0) / (peaks[2500] ?? 1)).toBeGreaterThan(6);
  });

  it("requests about the factor of what it needs", () => {
    const parts = generate({ pods: 5000, requests: { factor: 0.4, error: 0.2 } }).map(
      ({ requestBytes, trace }) => requestBytes / peakBytes(trace),
    );
    // A lognormal factor with σ 0.2 has the mean exp(σ²/2).
    expect(mean(parts)).toBeCloseTo(0.4 * Math.exp(0.02), 2);
    const logarithms = parts.map((part) => Math.log(part / 0.4));
    expect(Math.sqrt(mean(logarithms.map((value) => value ** 2)))).toBeCloseTo(0.2, 2);
    expect(
      new Set(
        generate({ requests: { factor: 0.5, error: 0 } }).map((pod) =>
          (pod.requestBytes / peakBytes(pod.trace)).toFixed(3),
        ),
      ),
    ).toEqual(new Set(["0.500"]));
    expect(generate({ requests: { factor: 0, error: 0 } }).every(({ requestBytes }) => requestBytes === 16 * MiB)).toBe(
      true,
    );
  });

  it("never requests more than its limit", () => {
    const pods = generate({ limits: { factor: 0.5 } });
    expect(pods.every(({ requestBytes, limitBytes = 0 }) => limitBytes > 0 && requestBytes <= limitBytes)).toBe(true);
  });

  it("arrives at the start, at random, or in bursts", () => {
    const arrivals = (fields: Partial<WrittenGeneratedWorkload>) =>
      generate({ pods: 1000, ...fields }).map((pod) => pod.arrivalSeconds);
    expect(new Set(arrivals({ arrivals: { pattern: "AtStart" } }))).toEqual(new Set([0]));
    const poisson = arrivals({ arrivals: { pattern: "Poisson", atStart: "40%", over: "2h" } });
    expect(poisson.filter((seconds) => seconds === 0).length / 1000).toBeCloseTo(0.4, 1);
    expect(mean(poisson.filter((seconds) => seconds > 0)) / 3600).toBeCloseTo(1, 1);
    expect(poisson).toEqual([...poisson].sort((a, b) => a - b));
    const bursts = arrivals({ arrivals: { pattern: "Bursts", atStart: 0, over: "100h", count: 3, spread: "1m" } });
    expect(new Set(bursts.map((seconds) => Math.round(seconds / 3600))).size).toBeLessThan(10);
  });

  it("is light and quick at 20,000 pods over a day", () => {
    const pods = generate({ pods: 20_000, duration: "24h" });
    expect(mean(pods.map(({ trace }) => trace.seconds.length))).toBeLessThan(100);
  });

  it("of the sample is what the defaults are", () => {
    const sample = generatedWorkloadSchema.parse(load(readFileSync("config/simulator/generated.yaml", "utf8")));
    expect(generateWorkload(sample, 3)).toEqual(generate({}, 3));
  });

  it("packs ten nodes of 64 GiB: requests fit, peaks do not leave much", () => {
    const seeds = [1, 2, 3, 4, 5].map((seed) => demand(generate({}, seed), 4 * 3600));
    const average = (name: "meanUsed" | "peakUsed" | "peakRequested") => mean(seeds.map((one) => one[name])) / 640;
    // Parts of the cluster's memory, if every pod ran from its arrival on.
    expect(average("meanUsed")).toBeGreaterThan(0.5);
    expect(average("meanUsed")).toBeLessThan(0.62);
    expect(average("peakUsed")).toBeGreaterThan(0.7);
    expect(average("peakUsed")).toBeLessThan(0.9);
    expect(average("peakRequested")).toBeLessThan(0.65);
  });

  it.each([
    [{ pods: -1 }, "pods"],
    [{ kinds: {} }, "kinds: expected a weight above 0"],
    [{ kinds: { leaks: 3 } }, "kinds.leaks: is not a field here"],
    [{ endless: "130%" }, "endless: expected a part such as 30% or 0.3"],
    [
      { peak: { distribution: "BoundedPareto", min: "4Gi", max: "2Gi", shape: 1 } },
      "peak.max: expected no less than min",
    ],
    [{ peak: { distribution: "Normal" } }, "peak.distribution"],
    [{ duration: "4 hours" }, "duration: expected a duration above 0"],
    [{ nodes: 3 }, "nodes: is not a field here"],
  ])("%j is refused", (fields, expected) => {
    const read = () => readWorkload(JSON.stringify({ ...HEAD, ...fields }), { fileName: "g.json" });
    expect(read).toThrow(BrokenInputError);
    expect(read).toThrow(expected);
  });
});

describe("a GeneratedWorkload as a trace", () => {
  const traces = ["config/simulator/generated.yaml"];

  it("has other pods for each seed, and its own duration", () => {
    const workload = readTraceFiles(traces);
    expect([workload.seeded, workload.endSeconds]).toEqual([true, 4 * 3600]);
    for (const seed of [1, 2]) expect(byName(workload.podsOf(seed))).toEqual(byName(generate({}, seed)));
  });

  it("joins other files, and a request factor reaches its pods too", () => {
    const pods = readTraceFiles([...traces, "config/simulator/workload.yaml"], { requestFactor: 1 }).podsOf(1);
    expect(pods).toHaveLength(353);
    expect(mean(pods.map(({ requestBytes, trace }) => requestBytes / peakBytes(trace)))).toBeGreaterThan(0.9);
  });

  it("what is wrong in any of the files is told at once", () => {
    expect(() => readTraceFiles(["no-such-file", "config/simulator/nodes.yaml", ...traces])).toThrow(
      /no-such-file: ENOENT/,
    );
    expect(() => readTraceFiles(["config/simulator/nodes.yaml", "config/simulator/recorded-nodes.yaml"])).toThrow(
      /nodes.yaml, line 2: expected a workload.*\n.*recorded-nodes.yaml, line 2: expected a workload/,
    );
  });
});

function flawOf(
  { trace, durationSeconds, arrivalSeconds, requestBytes, expectedRuntimeSeconds = 1 }: SimulatedPod,
  points: number,
) {
  const { seconds, bytes } = trace;
  if (seconds[0] !== 0 || seconds.length !== bytes.length) return "does not start at 0";
  if (seconds.some((at, index) => index > 0 && at <= (seconds[index - 1] ?? 0))) return "not ascending";
  if (!bytes.every((value) => Number.isFinite(value) && value > 0)) return "memory that is none";
  if (seconds.length > points + 25) return "too many points";
  if (![arrivalSeconds, durationSeconds ?? 1, requestBytes, expectedRuntimeSeconds].every((value) => value >= 0))
    return "not a number";
  return durationSeconds !== undefined && (seconds.at(-1) ?? 0) > durationSeconds
    ? "a trace beyond its work"
    : undefined;
}

/** GiB over all pods, as if every pod ran from its arrival on. */
function demand(pods: readonly SimulatedPod[], endSeconds: number) {
  const used: number[] = [];
  const requested: number[] = [];
  for (let now = 0; now < endSeconds; now += 300) {
    const running = pods.filter(
      ({ arrivalSeconds, durationSeconds = Infinity }) =>
        now >= arrivalSeconds && now < arrivalSeconds + durationSeconds,
    );
    used.push(
      running.reduce(
        (sum, pod) =>
          sum + (pod.trace.bytes[pod.trace.seconds.findLastIndex((at) => at <= now - pod.arrivalSeconds)] ?? 0),
        0,
      ) / GiB,
    );
    requested.push(running.reduce((sum, { requestBytes }) => sum + requestBytes, 0) / GiB);
  }
  return { meanUsed: mean(used), peakUsed: Math.max(...used), peakRequested: Math.max(...requested) };
}
