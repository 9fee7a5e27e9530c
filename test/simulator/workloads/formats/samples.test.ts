import { describe, expect, it } from "vitest";
import type { SimulatedPod } from "../../../../src/simulator/scenario.ts";
import { readTraceFiles } from "../../../../src/simulator/workloads/read-trace-files.ts";

const GiB = 1024 ** 3;
const podsOf = (sample: string, gaps: "interpolate" | "keep" = "interpolate") =>
  readTraceFiles([`config/simulator/${sample}`], { gaps }).podsOf(0);
const traces = (pods: readonly SimulatedPod[]) =>
  pods
    .map(({ arrivalSeconds, trace, gaps }) => ({
      arrivalSeconds,
      gaps,
      seconds: [...trace.seconds],
      bytes: [...trace.bytes],
    }))
    .sort((a, b) => (a.bytes[0] ?? 0) - (b.bytes[0] ?? 0));

describe("the sample traces hold the same five pods in each format", () => {
  const jobs = podsOf("predecessor-jobs.json", "keep");

  it.each(["prometheus.json", "influxdb.csv", "bitbrains"])("%s", (sample) => {
    expect(traces(podsOf(sample, "keep"))).toEqual(traces(jobs));
  });

  it("with their times, sizes and ends", () => {
    const shown = jobs.map(({ name, arrivalSeconds, durationSeconds, trace }) => [
      name,
      arrivalSeconds,
      durationSeconds,
      Math.round(Math.max(...trace.bytes) / GiB),
    ]);
    expect(shown).toEqual([
      ["train-worker-s-idle", 0, 10_800, 8],
      ["train-worker-s-leak", 0, 10_800, 40],
      ["train-worker-s-ramp", 0, 9000, 30],
      ["train-worker-s-spike", 0, 10_800, 28],
      ["train-worker-s-step", 1800, 7200, 20],
    ]);
  });

  it("a gap that is kept has samples at both ends, one that is interpolated is none", () => {
    expect(jobs.find(({ name }) => name.endsWith("idle"))?.gaps).toEqual([{ fromSeconds: 3300, toSeconds: 4200 }]);
    expect(podsOf("predecessor-jobs.json").every(({ gaps }) => gaps === undefined)).toBe(true);
    expect(traces(podsOf("predecessor-jobs.json")).map(({ bytes }) => bytes)).toEqual(
      traces(jobs).map(({ bytes }) => bytes),
    );
  });

  it("with the nodes and requests that monitoring knows", () => {
    for (const sample of ["prometheus.json", "influxdb.csv"]) {
      expect(podsOf(sample).map(({ name, node, requestBytes }) => [name, node, requestBytes / GiB])).toEqual([
        ["train-worker-s-idle", "worker-2", 12],
        ["train-worker-s-leak", "worker-1", 12],
        ["train-worker-s-ramp", "worker-1", 12],
        ["train-worker-s-spike", "worker-2", 12],
        ["train-worker-s-step", "worker-2", 12],
      ]);
    }
  });

  it("what was still there at the recording's end goes on, what was gone before has finished", () => {
    expect(podsOf("prometheus.json").map(({ durationSeconds }) => durationSeconds)).toEqual([
      undefined,
      undefined,
      9000,
      undefined,
      7200,
    ]);
  });

  it("the simulation ends with the recording, or a tenth later for what finishes", () => {
    expect(readTraceFiles(["config/simulator/prometheus.json"]).endSeconds).toBe(10_800);
    expect(readTraceFiles(["config/simulator/predecessor-jobs.json"]).endSeconds).toBe(Math.ceil(10_800 * 1.1));
  });

  it("several files are one workload on one clock", () => {
    const both = readTraceFiles(["config/simulator/bitbrains/3.csv", "config/simulator/bitbrains/1.csv"]).podsOf(0);
    expect(both.map(({ name, arrivalSeconds }) => [name, arrivalSeconds])).toEqual([
      ["vm-1", 0],
      ["vm-3", 1800],
    ]);
    expect(readTraceFiles(["config/simulator/bitbrains/3.csv"]).podsOf(0)[0]?.arrivalSeconds).toBe(0);
  });

  it("the same file twice is refused: there is one pod of a name", () => {
    const twice = ["config/simulator/bitbrains/3.csv", "config/simulator/bitbrains/3.csv"];
    expect(() => readTraceFiles(twice)).toThrow("default/vm-3 is there twice");
  });
});

describe("a ClusterSnapshot is a workload too", () => {
  it("of its series, and of what its other pods use now", () => {
    const pods = podsOf("snapshot.yaml");
    expect(
      pods.map(({ name, node, requestBytes, trace }) => [
        name,
        node,
        requestBytes / GiB,
        [...trace.seconds],
        [...trace.bytes].map((bytes) => bytes / GiB),
      ]),
    ).toEqual([
      ["growing", "z1", 4, [0, 600, 1200, 1800], [4, 6, 8, 10]],
      ["leaking", "z1", (6 + (60 * 100) / 1024) / 2, [0, 3600], [6, 6 + (60 * 100) / 1024]],
      ["steady", "z1", 8, [0], [12]],
    ]);
    expect(readTraceFiles(["config/simulator/snapshot.yaml"]).endSeconds).toBe(3600);
  });
});
