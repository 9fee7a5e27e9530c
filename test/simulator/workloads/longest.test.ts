import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BrokenInputError } from "../../../src/simulator/input/broken-input.ts";
import type { WorkloadOptions } from "../../../src/simulator/workloads/intake.ts";
import { readTraceFiles } from "../../../src/simulator/workloads/read-trace-files.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "headroom-longest-"));

function file(name: string, value: unknown): string {
  const path = join(FOLDER, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const prometheus = (pod: string, ...seconds: number[]) => ({
  resultType: "matrix",
  result: [{ metric: { namespace: "ml", pod }, values: seconds.map((at) => [at, "1000"]) }],
});
const job = (name: string, ...times: number[]) => [{ Name: name, Memory: times.map(() => 5), Time: times }];
const endless = (name: string, hours: number) => ({
  apiVersion: "headroom.dev/v1alpha1",
  kind: "Workload",
  pods: [{ name, memory: "1Gi", duration: `${hours}h` }],
});

const OLD = file("old.json", prometheus("old", 1_375_000_000, 1_375_000_060));
const NEW = file("new.json", job("fresh", 1_767_225_600_000, 1_767_225_660_000));
function refusal(paths: string[]): string {
  try {
    read(paths);
  } catch (error) {
    if (error instanceof BrokenInputError) return error.message;
    throw error;
  }
  return "read";
}

const read = (paths: string[], options: WorkloadOptions = {}) => readTraceFiles(paths, options);

describe("a workload that lasts longer than a year", () => {
  it("is refused where two clocks differ, with both pods, their times and what to do", () => {
    const line = refusal([OLD, NEW]);
    expect(line).toContain(`${OLD} ${NEW}: expected recordings of at most 366 days on one clock, there are 4540 days`);
    expect(line).toContain("from the first sample of ml/old (2013-07-28T08:26:40.000Z)");
    expect(line).toContain("to the last of default/fresh (2026-01-01T00:01:00.000Z)");
    expect(line).toContain("--until");
  });

  it("is refused though no calendar has its times", () => {
    const line = refusal([file("far.json", job("a", 1000, 1e17))]);
    expect(line).toContain("the last of default/a (100000000000000000 ms since 1970)");
  });

  it("is refused where somebody wrote it so", () => {
    const line = refusal([file("written.json", endless("slow", 24 * 400))]);
    expect(line).toContain("this goes on for 440 days; the last to end is default/slow: say with --until");
  });

  it("is read when somebody says when to end", () => {
    expect(read([OLD, NEW], { untilSeconds: 3600 }).podsOf(0)).toHaveLength(2);
  });

  it("is not one of a few months", () => {
    expect(read([file("months.json", endless("a", 24 * 92))]).endSeconds).toBeCloseTo(24 * 92 * 1.1 * 3600);
  });
});
