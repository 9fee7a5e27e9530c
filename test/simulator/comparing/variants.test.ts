import { describe, expect, it } from "vitest";
import { migrationPolicySpecSchema } from "../../../src/api/v1alpha1/migration-policy.ts";
import { readPolicyObject } from "../../../src/cli/plan/read-documents.ts";
import { readSweep, type SweepRequest } from "../../../src/simulator/comparing/sweep.ts";
import { type PolicySet, readVariants } from "../../../src/simulator/comparing/variants.ts";

const set = (name: string, spec: object = {}): PolicySet => ({
  name,
  objects: [
    {
      label: `${name}.yaml`,
      object: {
        apiVersion: "headroom.dev/v1alpha1",
        kind: "MigrationPolicy",
        metadata: { name },
        spec: { podSelector: {}, ...spec },
      },
    },
  ],
});

function sweeps(...texts: string[]): SweepRequest[] {
  return texts.map((text) => {
    const read = readSweep(text);
    if (!read.ok) throw new Error(read.message);
    return read.value;
  });
}

function variantsOf(sets: PolicySet[], ...texts: string[]) {
  const read = readVariants(sets, sweeps(...texts), readPolicyObject);
  if (!read.ok) throw new Error(read.lines.join("\n"));
  return read.value.variants;
}

const linesOf = (sets: PolicySet[], ...texts: string[]) => {
  const read = readVariants(sets, sweeps(...texts), readPolicyObject);
  return read.ok ? [] : read.lines;
};

describe("what is compared", () => {
  it("begins with no policy and the clairvoyant, whatever was asked for", () => {
    const variants = variantsOf([set("a"), set("b")]);
    expect(variants.map(({ name, role }) => [name, role])).toEqual([
      ["none", "None"],
      ["clairvoyant", "Clairvoyant"],
      ["a", "Policy"],
      ["b", "Policy"],
    ]);
    expect(variants[0]?.policies).toEqual([]);
  });

  it("gives the clairvoyant the first policy's scope and eligibility, and a planning of its own", () => {
    const scope = { podSelector: { matchLabels: { tier: "batch" } }, eligibility: { minMemory: "3Gi" } };
    const spec = variantsOf([set("a", { ...scope, selection: { strategy: "Max" } })])[1]?.policies[0]?.spec;
    expect(spec).toMatchObject({ ...scope, pressure: { strategy: "Forecast" } });
  });

  it("simulates a dry run as if it were enforced", () => {
    expect(
      variantsOf([set("a", { mode: "DryRun" })])
        .slice(1)
        .map(({ policies }) => policies[0]?.spec.mode),
    ).toEqual(["Enforce", "Enforce"]);
  });

  it("has a variant for each point of a sweep, with the policy's name and its parameters", () => {
    const variants = variantsOf([set("a")], "pressure.freeBelow=5%..10%/5%", "selection.strategy=Max,Optimal").slice(2);
    expect(variants.map(({ name }) => name)).toEqual([
      "a pressure.freeBelow=5% selection.strategy=Max",
      "a pressure.freeBelow=5% selection.strategy=Optimal",
      "a pressure.freeBelow=10% selection.strategy=Max",
      "a pressure.freeBelow=10% selection.strategy=Optimal",
    ]);
    expect(variants[1]).toMatchObject({
      policy: "a",
      parameters: [
        { path: "pressure.freeBelow", value: "5%" },
        { path: "selection.strategy", value: "Optimal" },
      ],
    });
    expect(variants[3]?.policies[0]?.spec).toMatchObject({
      pressure: { freeBelow: "10%" },
      selection: { strategy: "Optimal" },
    });
  });

  it("sweeps only the policy that is named; the others stay as they are", () => {
    expect(
      variantsOf([set("a"), set("b")], "b:pressure.freeBelow=5%,6%")
        .slice(2)
        .map(({ name }) => name),
    ).toEqual(["a", "b pressure.freeBelow=5%", "b pressure.freeBelow=6%"]);
  });

  it("sweeps values that the schema reads as it would from a file", () => {
    const [variant] = variantsOf(
      [set("a", { pacing: { strategy: "Concurrent" } })],
      "pacing.concurrent.maxPerNode=3",
    ).slice(2);
    const expected = migrationPolicySpecSchema.parse({
      mode: "Enforce",
      podSelector: {},
      pacing: { strategy: "Concurrent", concurrent: { maxPerNode: 3 } },
    });
    expect(variant?.policies[0]?.spec).toEqual(expected);
  });

  it.each<[string, PolicySet[], string[], string]>([
    [
      "a value that the schema refuses",
      [set("a")],
      ["pressure.freeBelow=150%"],
      "a.yaml with --sweep pressure.freeBelow=150%: spec.pressure.freeBelow: ",
    ],
    [
      "a field that there is not",
      [set("a")],
      ["pressure.freeBelov=5%"],
      "spec.pressure.freeBelov: is not a field here",
    ],
    [
      "an option of another strategy",
      [set("a")],
      ["pressure.slope.ahead=5m"],
      "slope may only be set when strategy is Slope",
    ],
    ["a policy that there is not", [set("a")], ["b:pressure.freeBelow=5%"], "no policy b: expected one of a"],
    ["two policies of one name", [set("a"), set("a")], [], "a.yaml: a: another variant is called so"],
    ["a policy called none", [set("none")], [], "none.yaml: none: a reference is called so"],
    [
      "a policy that is twice in one file",
      [{ name: "both", objects: [...set("a").objects, ...set("a").objects] }],
      [],
      "both: there are two policies a in one file",
    ],
    [
      "a wrong field beside a wrong name",
      [set("none"), set("a", { pressure: { freeBelow: 7 } })],
      [],
      "rename the policy or its file\na.yaml: spec.pressure.freeBelow",
    ],
    [
      "a policy that is wrong in itself",
      [set("a", { pressure: { freeBelow: 7 } })],
      [],
      "a.yaml: spec.pressure.freeBelow",
    ],
    [
      "too many points",
      [set("a")],
      ["pressure.freeBelow=0.1%..15%/0.1%", "placement.margin=0.1%..15%/0.1%"],
      "expected at most 1000",
    ],
  ])("refuses %s, saying where", (_, sets, texts, line) => {
    expect(linesOf(sets, ...texts).join("\n")).toContain(line);
  });
});
