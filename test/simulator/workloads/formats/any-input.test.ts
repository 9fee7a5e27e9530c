import { globSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCluster } from "../../../../src/simulator/clusters/read-cluster.ts";
import { BrokenInputError } from "../../../../src/simulator/input/broken-input.ts";
import type { SimulatedPod } from "../../../../src/simulator/scenario.ts";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";

const START_SECONDS = 1_767_225_600;
const STEP_SECONDS = 60;

/** A pod's samples on a grid, in KiB; null: none. */
type Recorded = (number | null)[];
const recorded: fc.Arbitrary<Recorded> = fc
  .array(fc.option(fc.integer({ min: 1, max: 1e9 })), { minLength: 1, maxLength: 12 })
  .filter((samples) => samples.some((sample) => sample !== null));

const there = (samples: Recorded, write: (seconds: number, bytes: number) => unknown) =>
  samples.flatMap((sample, index) =>
    sample === null ? [] : [write(START_SECONDS + STEP_SECONDS * index, sample * 1024)],
  );

function asJobs(samples: Recorded): string {
  const Time = samples.map((_, index) => (START_SECONDS + STEP_SECONDS * index) * 1000);
  return JSON.stringify([
    { Name: "a", Memory: samples.map((sample) => (sample === null ? null : sample * 1024)), Time },
  ]);
}

function asPrometheus(samples: Recorded): string {
  const values = there(samples, (seconds, bytes) => [seconds, String(bytes)]);
  return JSON.stringify({
    data: { resultType: "matrix", result: [{ metric: { namespace: "default", pod: "a" }, values }] },
  });
}

function asInfluxExport(samples: Recorded): string {
  const rows = there(samples, (seconds, bytes) => `,,0,${new Date(seconds * 1000).toISOString()},${bytes},c,default,a`);
  const head = [
    "#datatype,string,long,dateTime:RFC3339,long,string,string,string",
    ",result,table,_time,_value,container_name,namespace,pod_name",
  ];
  return [...head, ...rows].join("\n");
}

function asBitbrains(samples: Recorded): string {
  const rows = there(samples, (seconds, bytes) => `${seconds};\t${bytes / 1024}`);
  return ["Timestamp [ms];\tMemory usage [KB]", ...rows].join("\n");
}

/** What a format has no room for is left out: names, and whether a pod is known to have finished. */
function course(text: string) {
  return readWorkload(text, { fileName: "a", gaps: "keep" }).map(({ arrivalSeconds, trace, gaps, requestBytes }) => ({
    arrivalSeconds,
    trace,
    gaps,
    requestBytes,
  }));
}

describe("any recording", () => {
  it("is the same in every format", () => {
    fc.assert(
      fc.property(recorded, (samples) => {
        const expected = course(asJobs(samples));
        for (const write of [asPrometheus, asInfluxExport, asBitbrains])
          expect(course(write(samples))).toEqual(expected);
      }),
    );
  });

  it("goes through its own samples, its gaps are where they are missing", () => {
    fc.assert(
      fc.property(recorded, (samples) => {
        const [pod] = course(asJobs(samples));
        const first = samples.findIndex((sample) => sample !== null);
        for (const [index, sample] of samples.entries()) {
          if (sample === null || pod === undefined) continue;
          const at = STEP_SECONDS * (index - first);
          expect(valueAt(pod.trace, at)).toBe(sample * 1024);
          expect(pod.gaps?.some(({ fromSeconds, toSeconds }) => at > fromSeconds && at < toSeconds) ?? false).toBe(
            false,
          );
        }
      }),
    );
  });
});

function valueAt({ seconds, bytes }: SimulatedPod["trace"], at: number): number {
  const index = seconds.findLastIndex((second) => second <= at);
  const [from, to] = [seconds[index] ?? 0, seconds[index + 1] ?? Infinity];
  const low = bytes[index] ?? 0;
  return to === Infinity ? low : low + (((bytes[index + 1] ?? low) - low) * (at - from)) / (to - from);
}

const traces = globSync("config/simulator/{,bitbrains/}*.{json,csv,yaml}").filter(
  (path) => !/nodes|cluster/.test(path),
);
const clusters = globSync("config/simulator/*{nodes,cluster,snapshot}*.yaml");

/** Cut off, a piece taken out, or characters put in somewhere. */
const damage = fc.oneof(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.constant(Infinity), put: fc.constant("") }),
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    drop: fc.nat(30),
    put: fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom("-", "null", "NaN", "[]", "{}", "\n", ",", "x")),
  }),
);

describe("a damaged file", () => {
  const paths = traces.map((path) => ({ path, text: readFileSync(path, "utf8") }));

  it("is refused, or is still a workload that can be simulated; nothing else is ever thrown", () => {
    const check = (path: string, text: string) => {
      const pods = unlessRefused(() => readWorkload(text, { fileName: path, gaps: "keep" })) ?? [];
      for (const pod of pods) expect(flawOf(pod), path).toBeUndefined();
    };
    expect(paths.length).toBeGreaterThan(8);
    fc.assert(
      fc.property(fc.constantFrom(...paths), damage, ({ path, text }, { at, drop, put }) => {
        const cut = Math.floor(at * text.length);
        check(path, text.slice(0, cut) + put + (drop === Infinity ? "" : text.slice(cut + drop)));
      }),
      { numRuns: 400 },
    );
  });

  it("of nodes too", () => {
    const texts = clusters.map((path) => readFileSync(path, "utf8"));
    fc.assert(
      fc.property(fc.constantFrom(...texts), damage, (text, { at, drop, put }) => {
        const cut = Math.floor(at * text.length);
        const damaged = text.slice(0, cut) + put + (drop === Infinity ? "" : text.slice(cut + drop));
        const nodes = unlessRefused(() => readCluster({ name: "nodes.yaml", text: damaged })) ?? [];
        for (const { name, capacityBytes } of nodes)
          expect([name !== "", capacityBytes > 0, Number.isFinite(capacityBytes)]).toEqual([true, true, true]);
      }),
      { numRuns: 200 },
    );
  });
});

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BrokenInputError)) throw error;
    expect(error.lines.length).toBeGreaterThan(0);
    return undefined;
  }
}

/** What the engine refuses to simulate. */
function flawOf({
  trace,
  arrivalSeconds,
  durationSeconds = 1,
  requestBytes,
  gaps = [],
}: SimulatedPod): string | undefined {
  const { seconds, bytes } = trace;
  if (seconds[0] !== 0 || seconds.length !== bytes.length) return "its trace does not begin at 0";
  if (seconds.some((at, index) => index > 0 && !(at > (seconds[index - 1] ?? 0)))) return "its times do not ascend";
  if (![...bytes, ...seconds].every((value) => Number.isFinite(value) && value >= 0)) return "a number that is none";
  if (!(arrivalSeconds >= 0 && Number.isFinite(arrivalSeconds))) return `arrival ${arrivalSeconds}`;
  if (!(durationSeconds > 0) || !Number.isFinite(requestBytes))
    return `duration ${durationSeconds}, request ${requestBytes}`;
  return gaps.every(({ fromSeconds, toSeconds }) => fromSeconds < toSeconds)
    ? undefined
    : "a gap that ends before it begins";
}
