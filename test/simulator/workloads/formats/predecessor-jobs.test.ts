import { describe, expect, it } from "vitest";
import { type ReadOptions, readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { refusal } from "./refusal.ts";

const GiB = 1024 ** 3;
const read = (jobs: unknown, options: Partial<ReadOptions> = {}) =>
  readWorkload(JSON.stringify(jobs), { fileName: "jobs.json", ...options });
const job = (fields: object = {}) => ({
  Name: "o10n-worker-l-a-b",
  Memory: [1, 2],
  Time: [60_000, 120_000],
  ...fields,
});

describe("the predecessor's jobs", () => {
  it("come at their first sample and have finished at their last; null and 0 around them are no samples", () => {
    const jobs = [
      job({ Name: "a-b-s-c", Memory: [5, 6, 7, null], Time: [0, 1000, 2000, 3000] }),
      job({ Name: "a-b-m-c", Memory: [null, 0, 8, 0, 9], Time: [0, 1000, 2000, 3000, 4000] }),
    ];
    expect(read(jobs)).toEqual([
      {
        namespace: "default",
        name: "a-b-s-c",
        arrivalSeconds: 0,
        durationSeconds: 2,
        requestBytes: 30 * GiB,
        labels: {},
        annotations: {},
        trace: { seconds: Float64Array.of(0, 1, 2), bytes: Float64Array.of(5, 6, 7) },
      },
      {
        namespace: "default",
        name: "a-b-m-c",
        arrivalSeconds: 2,
        durationSeconds: 2,
        requestBytes: 80 * GiB,
        labels: {},
        annotations: {},
        trace: { seconds: Float64Array.of(0, 1, 2), bytes: Float64Array.of(8, 0, 9) },
      },
    ]);
  });

  it.each([
    ["x-y-s", 0.5, 15 * GiB],
    ["x-y-m-z", undefined, 80 * GiB],
    ["x-y-l-z", 1, 130 * GiB],
    ["x-y-xl-z", 0, 0],
    ["x-y-xl-z", undefined, 420 * GiB],
    // No class: of the peak, which is 8 GiB here.
    ["x-y-z", 0.25, 2 * GiB],
    ["xl", undefined, 4 * GiB],
  ])("%s with the request factor %s requests %d", (Name, requestFactor, expected) => {
    expect(read([job({ Name, Memory: [8 * GiB, GiB] })], { requestFactor })[0]?.requestBytes).toBe(expected);
  });

  it("of several samples at one time the greatest counts, as the predecessor's recordings have them", () => {
    const [pod] = read([job({ Memory: [1, 5, 3, 2], Time: [0, 5000, 5000, 9000] })]);
    expect([[...(pod?.trace.seconds ?? [])], [...(pod?.trace.bytes ?? [])]]).toEqual([
      [0, 5, 9],
      [1, 5, 2],
    ]);
  });

  it("a missing sample is a gap if gaps are kept", () => {
    const jobs = [job({ Memory: [1, 2, null, 4, 5], Time: [0, 1000, 2000, 3000, 4000] })];
    expect(read(jobs, { gaps: "keep" })[0]?.gaps).toEqual([{ fromSeconds: 1, toSeconds: 3 }]);
    expect(read(jobs)[0]?.gaps).toBeUndefined();
  });

  it("one alone needs no list", () => {
    expect(read(job())).toEqual(read([job()]));
  });

  it.each([
    ["Name", 3, "[1].Name: expected the job's name"],
    ["Memory", undefined, "[1].Memory: expected a list of bytes"],
    ["Memory", [1], "[1].Time: expected as many times as samples; there are 2 for 1"],
    ["Memory", [1, -2], "[1].Memory[1]: expected bytes from 0 on, or null for no sample; not -2"],
    ["Memory", [1, 1e308], "[1].Memory[1]: expected bytes from 0 on, or null for no sample; not 1e+308, which is more"],
    ["Memory", [1, "2"], '[1].Memory[1]: expected bytes from 0 on, or null for no sample; not "2"'],
    ["Memory", [null, 0], "[1].Memory: expected at least one sample; leave the job out"],
    ["Time", "now", "[1].Time: expected a list of milliseconds since 1970"],
    ["Time", [120_000, 60_000], "[1].Time[1]: expected ascending times, from 120000 on; not 60000"],
    ["Time", [60_000, null], "[1].Time[1]: expected milliseconds since 1970; not null"],
  ])("%s: %j is refused", (name, value, expected) => {
    const text = `[${JSON.stringify(job({ Name: "good" }))},\n\n${JSON.stringify(job({ [name]: value }))}]`;
    expect(refusal(text, "jobs.json")).toContain(`jobs.json, line 3: ${expected}`);
  });

  it("all flaws are told at once, and a file that is cut off is refused", () => {
    expect(
      refusal(JSON.stringify([job({ Name: "" }), job({ Memory: [1, -1] })]), "jobs.json").split("\n"),
    ).toHaveLength(2);
    const several = job({ Name: "", Memory: [1, "x", -1], Time: [60_000, 0] });
    expect(refusal(JSON.stringify(several), "j").split("\n")).toEqual(
      ["Name:", "Memory[1]:", "Memory[2]:", "Time[1]:", "Time:"].map((field) => expect.stringContaining(`: ${field}`)),
    );
    expect(refusal(JSON.stringify([job()]).slice(0, -20), "jobs.json")).toContain(
      "jobs.json, line 1: expected YAML or JSON",
    );
  });
});
