import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readCluster } from "../../../src/simulator/clusters/read-cluster.ts";
import { readClusterFile } from "../../../src/simulator/clusters/read-cluster-file.ts";
import { clusterShorthand } from "../../../src/simulator/clusters/shorthand.ts";
import { BrokenInputError } from "../../../src/simulator/input/broken-input.ts";

const GiB = 1024 ** 3;
const read = (text: string) => readCluster({ name: "nodes.yaml", text });

const ITEM = "{kind: Node, metadata: {name: a}, status: {capacity: {memory: 1Gi}}}";

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BrokenInputError) return error.lines.join("\n");
    throw error;
  }
  return "read";
}

describe("a cluster file", () => {
  it("is a list with the fields of a snapshot's nodes", () => {
    const text = `
- {name: a, capacity: 64Gi}
- {name: b, capacity: 2000000000, allocatable: 1Gi, labels: {zone: z1}, maxPods: 20, taints: [{key: k, effect: NoSchedule}]}`;
    expect(read(text)).toEqual([
      { name: "a", capacityBytes: 64 * GiB },
      {
        name: "b",
        capacityBytes: 2e9,
        allocatableBytes: GiB,
        labels: { zone: "z1" },
        maxPods: 20,
        taints: [{ key: "k", effect: "NoSchedule" }],
      },
    ]);
  });

  it("may be a ClusterSnapshot; cordoned and unready nodes get Kubernetes' own taints", () => {
    const text = `{apiVersion: headroom.dev/v1alpha1, kind: ClusterSnapshot, time: "2026-01-01T00:00:00Z", nodes: [
      {name: a, capacity: 1Gi, used: 5Mi, unschedulable: true}, {name: b, capacity: 1Gi, ready: false},
      {name: c, capacity: 1Gi, unschedulable: false, ready: true, agentReady: false}]}`;
    expect(read(text)).toEqual([
      {
        name: "a",
        capacityBytes: GiB,
        taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }],
        unschedulable: true,
      },
      {
        name: "b",
        capacityBytes: GiB,
        taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }],
        ready: false,
      },
      { name: "c", capacityBytes: GiB, agentReady: false },
    ]);
  });

  it("may be the predecessor's configuration, where what is allocatable is the capacity", () => {
    expect(
      readCluster({ name: "p.yaml", text: readFileSync("config/simulator/predecessor-cluster.yaml", "utf8") }),
    ).toEqual([
      {
        name: "zone2",
        capacityBytes: 450 * GiB,
        allocatableBytes: 450 * GiB,
        maxPods: 1000,
        labels: { "beta.kubernetes.io/os": "simulated" },
      },
      {
        name: "zone3",
        capacityBytes: 450 * GiB,
        allocatableBytes: 450 * GiB,
        maxPods: 1000,
        labels: { "beta.kubernetes.io/os": "simulated" },
        taints: [
          { key: "dedicated", value: "big", effect: "NoSchedule" },
          { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" },
        ],
        unschedulable: true,
      },
    ]);
  });

  it("may be what kubectl prints", () => {
    const item = (name: string) =>
      `{kind: Node, metadata: {name: ${name}}, spec: {}, status: {capacity: {cpu: "4", memory: 4Gi, pods: "110"}, allocatable: {memory: 3Gi, pods: "110"}}}`;
    const node = (name: string) => ({ name, capacityBytes: 4 * GiB, allocatableBytes: 3 * GiB, maxPods: 110 });
    expect(read(`{apiVersion: v1, kind: List, items: [${item("a")}, ${item("b")}]}`)).toEqual([node("a"), node("b")]);
    expect(read(`${item("a")}\n---\n${item("b")}`)).toEqual([node("a"), node("b")]);
  });

  it.each([
    ["- {name: a, capacity: 64Gi}\n- {name: b, capcity: 1Gi}", "nodes.yaml, line 2: [1].capacity: expected a quantity"],
    ["- {name: a, capacity: 64Gi}\n- {name: b, capcity: 1Gi}", "nodes.yaml, line 2: [1].capcity: is not a field here"],
    [
      "- name: a\n  capacity: 64Gx",
      'line 2: [0].capacity: expected a quantity such as 40Gi, or a number of bytes from 0 on; not "64Gx"',
    ],
    ["- name: a\n  capacity: 0", "line 2: [0].capacity: expected more than 0"],
    ["- name: a\n  capacity: -5", "line 2: [0].capacity: expected a quantity"],
    ["- name: a\n  capacity: 1e400", "line 2: [0].capacity: expected a quantity"],
    ["nodes:\n- name: a\n  capacity: 0", "line 3: nodes[0].capacity: expected more than 0"],
    [
      "- {name: a, capacity: 1Gi}\n- {name: a, capacity: 2Gi}",
      "nodes.yaml, line 2: [1].name: expected different names; a is there twice, first in nodes.yaml, line 1: [0].name",
    ],
    [
      "nodes:\n- {name: a, capacity: 1Gi}\n- {name: a, capacity: 2Gi}",
      "line 3: nodes[1].name: expected different names; a is there twice, first in nodes.yaml, line 2: nodes[0].name",
    ],
    [
      `items:\n- ${ITEM}\n- ${ITEM}`,
      "line 3: items[1].metadata.name: expected different names; a is there twice, first in nodes.yaml, line 2: items[0].metadata.name",
    ],
    [
      `${ITEM}\n---\n${ITEM}`,
      "line 3: metadata.name: expected different names; a is there twice, first in nodes.yaml, line 1: metadata.name",
    ],
    ["[]", "expected at least one node"],
    ["", "nodes.yaml: expected nodes; write a list"],
    ["just words", "line 1: expected a list of nodes"],
    ["[{name: a", "nodes.yaml, line 1: expected YAML or JSON"],
    [
      "cluster:\n- metadata: {name: a}\n  status: {allocatable: {memory: lots}}",
      "line 3: cluster[0].status.allocatable.memory",
    ],
    ["cluster:\n- metadata: {name: a}\n  status: {}", "line 3: cluster[0].status: expected capacity or allocatable"],
    ["cluster: 3", "line 1: cluster: expected array"],
  ])("is refused with line and field: %j", (text, expected) => {
    expect(refusal(text)).toContain(expected);
  });
});

describe("a cluster on the command line", () => {
  it("is a file or a shorthand", () => {
    expect(readClusterFile("config/simulator/nodes.yaml").map(({ name }) => name)).toEqual(["a", "b", "big"]);
    expect(readClusterFile("2x1Gi").map(({ name }) => name)).toEqual(["node-1", "node-2"]);
  });

  it("that is neither is refused, with both as ways out", () => {
    expect(() => readClusterFile("ten.yaml")).toThrow(/^ten\.yaml: ENOENT.*; give a file, or nodes as in 10x64Gi$/);
  });
});

describe("the shorthand", () => {
  it("names as many nodes as it says, so that they sort", () => {
    const nodes = clusterShorthand("10x64Gi");
    expect(nodes?.map(({ name }) => name)).toEqual([
      ...["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"].map((digits) => `node-${digits}`),
    ]);
    expect(nodes?.every(({ capacityBytes }) => capacityBytes === 64 * GiB)).toBe(true);
  });

  it("joins groups", () => {
    expect(clusterShorthand("1x2Gi+2x1.5Gi")).toEqual([
      { name: "node-1", capacityBytes: 2 * GiB },
      { name: "node-2", capacityBytes: 1.5 * GiB },
      { name: "node-3", capacityBytes: 1.5 * GiB },
    ]);
  });

  it.each(["nodes.yaml", "0x64Gi", "10x64", "10x0Gi", "x64Gi", "10x64Gi+", "-1x1Gi", ""])("is not %j", (text) => {
    expect(clusterShorthand(text)).toBeUndefined();
  });
});

it.each(["1000000000x64Gi", "0x64Gi", "3x0Gi", "3x64"])(
  "%s is refused as the shorthand that it was meant to be",
  (text) => {
    expect(() => readClusterFile(text)).toThrow(
      `--cluster ${text}: expected a file, or 1 to 999999 nodes with memory above 0`,
    );
  },
);

it.each([
  "[{name: a, capacity: 1Gi, allocatable: 2Gi}]",
  "{kind: Node, metadata: {name: a}, status: {capacity: {memory: 1Gi}, allocatable: {memory: 2Gi}}}",
])("a node can't give out more than it has: %s", (text) => {
  expect(refusal(text)).toContain("node a: expected allocatable of at most its capacity; 2Gi is more than 1Gi");
});

it.each([
  ["- {name: a, capacity: 3Gi}\n- {name: b, capacity: 1Gi, allocatable: 2Gi}", "line 2: [1].allocatable: node b"],
  [
    "cluster:\n- metadata: {name: a}\n  status:\n    capacity: {memory: 1Gi}\n    allocatable: {memory: 2Gi}",
    "line 5: cluster[0].status.allocatable: node a",
  ],
])("what a node gives out and has not is told with its line: %j", (text, expected) => {
  expect(refusal(text)).toContain(expected);
});

it("what is wrong in any document of a cluster file is told", () => {
  const bad = "- {name: a, capacity: x}\n";
  expect(refusal(`${bad}---\n${bad}`).split("\n")).toEqual([
    expect.stringContaining("nodes.yaml, line 1: [0].capacity"),
    expect.stringContaining("nodes.yaml, line 3: [0].capacity"),
  ]);
});
