import { describe, expect, it } from "vitest";
import { unmatched } from "../../../src/cli/simulate/unmatched.ts";
import { flat, node, pod, type SpecInput } from "../../simulator/engine/world.ts";
import { variant } from "./variant.ts";

const nodes = [node("z1", { labels: { pool: "a" } }), node("z2")];
const pods = [
  pod("one", flat(1), { labels: { tier: "batch" }, namespaceLabels: { team: "x" } }),
  pod("two", flat(1), { namespace: "web" }),
];
const told = (spec: SpecInput) => unmatched([variant("p", spec)], pods, nodes);
const labelled = (labels: Record<string, string>) => ({ matchLabels: labels });
const named = (name: string) => labelled({ "kubernetes.io/metadata.name": name });

describe("a policy that selects none of what is simulated", () => {
  it.each<[what: string, spec: SpecInput]>([
    ["everything", {}],
    ["pods by their labels", { podSelector: labelled({ tier: "batch" }) }],
    ["namespaces by their name", { namespaceSelector: named("web") }],
    ["namespaces by labels that a file tells", { namespaceSelector: labelled({ team: "x" }) }],
    ["nodes by their labels", { nodeLabelSelector: labelled({ pool: "a" }) }],
  ])("is not one that selects %s", (_, spec) => {
    expect(told(spec)).toEqual([]);
  });

  it.each<[what: string, spec: SpecInput, line: string]>([
    [
      "labels that no pod has",
      { podSelector: labelled({ tier: "web" }) },
      "policy p selects none of the 2 pods; --labels tier=web puts its labels on every pod",
    ],
    [
      "namespaces that no pod is in",
      { namespaceSelector: named("other") },
      "policy p selects none of the 2 pods; its namespaceSelector matches none of their namespaces (default, web)",
    ],
    [
      "namespaces that only other pods are in",
      { podSelector: labelled({ tier: "batch" }), namespaceSelector: named("web") },
      "policy p selects none of the 2 pods; its namespaceSelector matches none of the namespaces (default) of those that its podSelector matches",
    ],
    [
      "neither a pod nor a namespace",
      { podSelector: labelled({ tier: "web" }), namespaceSelector: labelled({ team: "y" }) },
      "policy p selects none of the 2 pods; --labels tier=web puts its labels on every pod; its namespaceSelector matches none of their namespaces (default, web)",
    ],
    [
      "no node",
      { nodeLabelSelector: labelled({ pool: "b" }) },
      "policy p watches none of the 2 nodes: its nodeLabelSelector matches none of their labels, which a --cluster file can give",
    ],
  ])("is told of, if it is for %s", (_, spec, line) => {
    expect(told(spec)).toEqual([line]);
  });

  it("is told of once, however often it is swept, and not as the clairvoyant reference", () => {
    const one = variant("p", { podSelector: { matchExpressions: [{ key: "x", operator: "Exists" }] } });
    const swept = { ...one, name: "p pressure.freeBelow=10%" };
    expect(unmatched([{ ...one, role: "Clairvoyant" }, one, swept], pods, nodes)).toEqual([
      "policy p selects none of the 2 pods",
    ]);
  });
});
