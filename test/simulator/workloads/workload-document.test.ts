import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Affinity, SpreadConstraint } from "../../../src/planning/scheduling-rules.ts";
import type { Toleration } from "../../../src/planning/snapshot.ts";
import { BrokenInputError } from "../../../src/simulator/input/broken-input.ts";
import type { SimulatedPod } from "../../../src/simulator/scenario.ts";
import { writeWorkload } from "../../../src/simulator/workloads/formats/workload-document.ts";
import { type ReadOptions, readWorkload } from "../../../src/simulator/workloads/read-workload.ts";

const GiB = 1024 ** 3;
const read = (text: string, options: Partial<ReadOptions> = {}) =>
  readWorkload(text, { fileName: "w.yaml", ...options });
const document = (pods: string) => `apiVersion: headroom.dev/v1alpha1\nkind: Workload\npods:\n${pods}`;

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BrokenInputError) return error.lines.join("\n");
    throw error;
  }
  return "read";
}

describe("the simulator's own format", () => {
  it("is written by hand as points, or as columns, or as one quantity", () => {
    const pods = read(readFileSync("config/simulator/workload.yaml", "utf8"));
    expect(
      pods.map(({ name, arrivalSeconds, durationSeconds, requestBytes }) => [
        name,
        arrivalSeconds,
        durationSeconds,
        requestBytes,
      ]),
    ).toEqual([
      ["database", 0, undefined, 4 * GiB],
      ["leak", 0, 7200, 2 * GiB],
      ["batch", 600, 3600, 1.5 * GiB],
    ]);
    expect(pods.map(({ trace }) => [[...trace.seconds], [...trace.bytes]])).toEqual([
      [[0], [8 * GiB]],
      [
        [0, 7200],
        [GiB, 12 * GiB],
      ],
      [
        [0, 600, 3000, 3600],
        [GiB / 4, 3 * GiB, 3 * GiB, GiB],
      ],
    ]);
    expect(pods[0]).toMatchObject({ namespace: "default", limitBytes: 12 * GiB, node: "node-1" });
    expect(pods[1]).toMatchObject({ expectedRuntimeSeconds: 7200 });
    expect(pods[2]).toMatchObject({ labels: { tier: "batch" }, gaps: [{ fromSeconds: 1200, toSeconds: 1500 }] });
  });

  it("a request factor is of the peak and goes before what the file says", () => {
    const pods = read(document("- {name: a, request: 1Gi, memory: 4Gi}"), { requestFactor: 0.25 });
    expect(pods[0]?.requestBytes).toBe(GiB);
    expect(read(document("- {name: a, request: 1Gi, memory: 4Gi}"), { requestFactor: 0 })[0]?.requestBytes).toBe(0);
  });

  it.each([
    ["- {memory: 1Gi}", "w.yaml, line 4: pods[0].name: expected string"],
    ["- name: a", "line 4: pods[0].memory: expected a quantity, a list"],
    ["- name: a\n  memory: []", "line 5: pods[0].memory: expected at least one point"],
    ["- {name: a, memory: 1e30}", "pods[0].memory: expected a quantity, a list"],
    ["- {name: a, memory: 1e400}", "pods[0].memory: expected a quantity, a list"],
    ["- name: a\n  memory: lots", "line 5: pods[0].memory: expected a quantity, a list"],
    ["- name: a\n  memory: [{at: 5m, bytes: 1Gi}]", "line 5: pods[0].memory[0].at: expected the first point at 0"],
    [
      "- name: a\n  memory:\n  - {at: 0, bytes: 1Gi}\n  - {at: 0s, bytes: 2Gi}",
      "line 7: pods[0].memory[1].at: expected ascending times",
    ],
    [
      "- name: a\n  memory:\n  - {at: 0, bytes: 1Gi}\n  - {at: 5m, bytes: -2Gi}",
      'line 7: pods[0].memory[1].bytes: expected a quantity or a number of bytes from 0 on; not "-2Gi"',
    ],
    [
      "- name: a\n  memory: {seconds: [0, 1], bytes: [5]}",
      "pods[0].memory: expected seconds and bytes, two lists of the same length",
    ],
    ["- name: a\n  memory: {seconds: [0, 1], bytes: [5, null]}", "pods[0].memory.bytes[1]: expected a quantity"],
    ["- {name: a, memory: 1Gi, duration: 0s}", "pods[0].duration: expected a duration above 0"],
    [
      "- {name: a, memory: 1Gi, arrival: soon}",
      "pods[0].arrival: expected a duration such as 10m, or a number of seconds from 0 on",
    ],
    ["- {name: a, memory: 1Gi, gaps: [{from: 5m, to: 5m}]}", "pods[0].gaps[0].to: expected a time after from"],
    ["- {name: a, memory: 1Gi, requests: 1Gi}", "pods[0].requests: is not a field here"],
    [
      "- {name: a, memory: 1Gi}\n- {name: a, memory: 2Gi}",
      "w.yaml, line 5: pods[1].name: expected different pods; default/a is there twice, first in w.yaml, line 4: pods[0].name: give",
    ],
  ])("is refused with line and field: %j", (pods, expected) => {
    expect(refusal(document(pods))).toContain(expected);
  });

  it.each([
    ["", "expected pods, the file is empty"],
    ["pods: []", "line 1: expected a workload in a format that is known"],
    ["kind: [", "w.yaml, line 1: expected YAML or JSON"],
    ["apiVersion: v1\nkind: Workload\npods: []", "line 1: apiVersion: expected"],
  ])("what is no workload is refused: %j", (text, expected) => {
    expect(refusal(text)).toContain(expected);
  });

  it("may hold more pods than a call takes arguments", () => {
    const pods = Array.from({ length: 200_000 }, (_, index) => ({ name: `pod-${index}`, memory: 1024 }));
    const text = JSON.stringify({ apiVersion: "headroom.dev/v1alpha1", kind: "Workload", pods });
    expect(read(text)).toHaveLength(200_000);
  });

  it("what is wrong in any document of a file is told", () => {
    expect(refusal(`${document("- {name: a}\n")}---\n${document("- {memory: 1Gi}\n")}`).split("\n")).toEqual([
      expect.stringContaining("w.yaml, line 4: pods[0].memory: expected"),
      expect.stringContaining("w.yaml, line 9: pods[0].name: expected"),
    ]);
  });

  it("shows ten of many flaws, and says how many more there are", () => {
    const lines = refusal(document("- {name: a, memory: x}\n".repeat(30))).split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[10]).toBe("w.yaml: and 20 more of such");
  });
});

const labels = fc.dictionary(fc.stringMatching(/^[a-z./]{1,8}$/), fc.string({ maxLength: 5 }), { maxKeys: 3 });
const amount = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e15, noNaN: true }));
const trace = fc
  .array(fc.tuple(fc.double({ min: 0.001, max: 1e5, noNaN: true }), amount), { maxLength: 8 })
  .chain((steps) => amount.map((first) => ({ steps, first })))
  .map(({ steps, first }) => {
    let at = 0;
    const seconds = [0, ...steps.map(([step]) => (at += step))];
    return {
      seconds: Float64Array.from(seconds),
      bytes: Float64Array.from([first, ...steps.map(([, bytes]) => bytes)]),
    };
  });
const pod = fc.record(
  {
    namespace: fc.constantFrom("default", "other"),
    name: fc.stringMatching(/^[a-z-]{1,10}$/),
    arrivalSeconds: amount,
    durationSeconds: fc.option(fc.double({ min: 0.5, max: 1e6, noNaN: true }), { nil: undefined }),
    trace,
    gaps: fc.constant([{ fromSeconds: 1.5, toSeconds: 3 }]),
    requestBytes: amount,
    limitBytes: fc.integer({ min: 1 }),
    labels,
    annotations: labels,
    tolerations: fc.constant<Toleration[]>([{ key: "k", operator: "Exists" }]),
    nodeSelector: labels,
    expectedRuntimeSeconds: fc.integer({ min: 1 }),
    node: fc.constant("z1"),
    ownerKind: fc.constant("Job"),
    obstacle: fc.constant({ reason: "HostPath", message: "it uses the node's files" }),
    terminating: fc.boolean(),
    namespaceLabels: labels,
    affinity: fc.constant<Affinity>({ podAffinity: [{ topologyKey: "zone", namespaces: ["other"] }] }),
    topologySpread: fc.constant<SpreadConstraint[]>([
      { maxSkew: 1, topologyKey: "zone", labelSelector: { matchLabels: { app: "x" } } },
    ]),
  },
  {
    requiredKeys: [
      "namespace",
      "name",
      "arrivalSeconds",
      "durationSeconds",
      "trace",
      "requestBytes",
      "labels",
      "annotations",
    ],
  },
);
const workload = fc.uniqueArray(pod, { selector: ({ namespace, name }) => `${namespace}/${name}`, maxLength: 5 });

describe("a workload that is written down", () => {
  it("reads as the same pods", () => {
    const key = ({ namespace, name }: SimulatedPod) => `${namespace}/${name}`;
    const sorted = (pods: readonly SimulatedPod[]) => [...pods].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    fc.assert(
      fc.property(workload, (pods) => {
        expect(sorted(read(writeWorkload(pods), { untilSeconds: 60 }))).toEqual(sorted(pods));
      }),
    );
  });
});
