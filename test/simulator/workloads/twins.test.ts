import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BrokenInputError } from "../../../src/simulator/input/broken-input.ts";
import { readTraceFiles } from "../../../src/simulator/workloads/read-trace-files.ts";

const HEAD = "apiVersion: headroom.dev/v1alpha1";
const series = (pod: string, container: string) => ({ metric: { pod, container }, values: [[1_767_225_600, "5"]] });
const prometheus = (...pods: string[]) =>
  JSON.stringify(
    { resultType: "matrix", result: pods.flatMap((pod) => [series(pod, "one"), series(pod, "two")]) },
    null,
    1,
  );
const influx = (...pods: string[]) =>
  [
    "#datatype,string,long,dateTime:RFC3339,long,string,string,string",
    ",result,table,_time,_value,container_name,namespace,pod_name",
    ...pods.map((pod) => `,,0,2026-01-01T00:00:00Z,5,c,default,${pod}`),
  ].join("\n");
const spec = (name: string) =>
  `{kind: Pod, metadata: {name: ${name}, annotations: {simSpec: "[{seconds: 5, resourceUsage: {memory: 1Gi}}]"}}}`;
const snapshot = (...pods: string[]) =>
  `${HEAD}\nkind: ClusterSnapshot\ntime: 2026-01-01T00:00:00Z\nnodes:\n- {name: n, capacity: 8Gi}\npods:\n` +
  pods.map((pod) => `- {namespace: default, name: ${pod}, node: n, used: 1Gi}\n`).join("");
const jobs = (...names: string[]) =>
  `[\n${names.map((Name) => JSON.stringify({ Name, Memory: [1], Time: [0] })).join(",\n")}\n]`;
const workload = (...names: string[]) =>
  `${HEAD}\nkind: Workload\npods:\n${names.map((name) => `- {name: ${name}, memory: 1Gi}\n`).join("")}`;

/** What reading these files together is refused with; names as they are given. */
function refusal(files: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), "headroom-names-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  try {
    readTraceFiles(Object.keys(files).map((name) => join(folder, name)));
  } catch (error) {
    if (error instanceof BrokenInputError) return error.lines.map((line) => line.replaceAll(`${folder}/`, ""));
    throw error;
  }
  return [];
}

const told = (second: string, pod: string, first: string) =>
  `${second}: expected different pods; default/${pod} is there twice, first in ${first}: give one of them another name or namespace`;

describe("of two pods of one name both places are told", () => {
  it.each([
    [
      "a list of pods",
      `kind: List\nitems:\n- ${spec("a")}\n- ${spec("a")}`,
      "4: items[1].metadata.name",
      "3: items[0].metadata.name",
    ],
    ["two documents", `${spec("a")}\n---\n${spec("a")}`, "3: metadata.name", "1: metadata.name"],
    ["jobs", jobs("a", "b", "a"), "4: [2].Name", "2: [0].Name"],
    ["a snapshot", snapshot("a", "a"), "8: pods[1].name", "7: pods[0].name"],
  ])("%s", (_, text, second, first) => {
    expect(refusal({ f: text })).toEqual([told(`f, line ${second}`, "a", `f, line ${first}`)]);
  });

  it.each([
    ["jobs.json", jobs("a"), "jobs.json, line 2: [0].Name"],
    ["export.csv", influx("b", "a", "a"), "export.csv, line 4: pod_name"],
    ["memory.json", prometheus("b", "a"), "memory.json, line 30: result[2].metric.pod"],
    ["pods.yaml", spec("a"), "pods.yaml, line 1: metadata.name"],
  ])("in another file, which is %s", (name, text, second) => {
    expect(refusal({ "first.yaml": workload("a"), [name]: text })).toEqual([
      told(second, "a", "first.yaml: pods[0].name"),
    ]);
  });

  it("a machine is named by its file", () => {
    const machine = "Timestamp [ms];Memory usage [KB]\n1376314846;5";
    expect(refusal({ "w.yaml": workload("vm-3"), "3.csv": machine })).toEqual([
      told("3.csv", "vm-3", "w.yaml: pods[0].name"),
    ]);
    expect(refusal({ "3.csv": machine, "w.yaml": workload("vm-3") })).toEqual([
      told("w.yaml, line 4: pods[0].name", "vm-3", "3.csv"),
    ]);
  });

  it("all of them are told", () => {
    expect(refusal({ "w.yaml": workload("a", "b", "a", "b", "a") })).toHaveLength(3);
  });
});

it("what monitoring tells of one pod in several series and files is one pod", () => {
  expect(refusal({ "1.json": prometheus("a"), "2.json": prometheus("a"), "3.csv": influx("a", "a") })).toEqual([]);
});
