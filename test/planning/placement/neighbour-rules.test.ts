import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/planning/evaluate.ts";
import { choosePlacement } from "../../../src/planning/placement/choose-placement.ts";
import type { PodTerm, SpreadConstraint } from "../../../src/planning/scheduling-rules.ts";
import type { ClusterSnapshot, PodSnapshot } from "../../../src/planning/snapshot.ts";
import { brief, move, NOW_MS, node, pod, policy } from "../fixtures.ts";

/** Nodes a1, a2 in zone a, b1, b2 in zone b, and x in none. */
const NODES = [
  ...["a1", "a2", "b1", "b2"].map((name) => node(name, { labels: { zone: name.charAt(0), host: name } })),
  node("x"),
];
const other = (name: string, on: string, labels: Record<string, string>, more: Partial<PodSnapshot> = {}) =>
  pod(name, on, 1, { labels, ...more });
const clusterOf = (pods: PodSnapshot[], more: Partial<ClusterSnapshot> = {}): ClusterSnapshot => ({
  timeMs: NOW_MS,
  nodes: NODES,
  pods,
  moves: [],
  ...more,
});

/** Of a pod `w` (app=w) on a1: the nodes where it may go, and why not to the others. */
function targets(more: Partial<PodSnapshot>, others: PodSnapshot[], cluster: Partial<ClusterSnapshot> = {}) {
  const snapshot = clusterOf([pod("w", "a1", 10, { labels: { app: "w" }, ...more }), ...others], cluster);
  const answers = ["a2", "b1", "b2", "x"].map((targetNode) => ({
    targetNode,
    answer: choosePlacement(snapshot, { podUID: "uid-w", targetNode }),
  }));
  const reasons = new Set(answers.flatMap(({ answer }) => (answer.ok ? [] : [answer.reason])));
  return {
    open: answers
      .filter(({ answer }) => answer.ok)
      .map(({ targetNode }) => targetNode)
      .join(" "),
    reasons: [...reasons].join(" "),
  };
}

const near = (topologyKey: string, app: string, more: Partial<PodTerm> = {}): PodTerm => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const elsewhere = { namespace: "other", namespaceLabels: { team: "o" } };

describe("required anti-affinity of the pod", () => {
  it.each<[string, PodTerm[], PodSnapshot[], string]>([
    ["keeps it out of the zone", [near("zone", "q")], [other("q", "b1", { app: "q" })], "a2 x"],
    ["keeps it off the node alone", [near("host", "q")], [other("q", "b1", { app: "q" })], "a2 b2 x"],
    ["is met when no such pod runs", [near("zone", "q")], [other("r", "b1", { app: "r" })], "a2 b1 b2 x"],
    ["does not count the pod itself", [near("zone", "w")], [], "a2 b1 b2 x"],
    ["counts its siblings", [near("zone", "w")], [other("w2", "a2", { app: "w" })], "b1 b2 x"],
    ["is of its own namespace", [near("zone", "q")], [other("q", "b1", { app: "q" }, elsewhere)], "a2 b1 b2 x"],
    [
      "is of the namespaces listed",
      [near("zone", "q", { namespaces: ["other"] })],
      [other("q", "b1", { app: "q" }, elsewhere), other("q2", "a2", { app: "q" })],
      "a2 x",
    ],
    [
      "is of the namespaces selected",
      [near("zone", "q", { namespaceSelector: { matchLabels: { team: "o" } } })],
      [other("q", "b1", { app: "q" }, elsewhere), other("q2", "a2", { app: "q" })],
      "a2 x",
    ],
    [
      "is of every namespace with an empty selector",
      [near("zone", "q", { namespaceSelector: {} })],
      [other("q", "b1", { app: "q" }, elsewhere), other("q2", "a2", { app: "q" })],
      "x",
    ],
    ["without a selector is about no pod", [{ topologyKey: "zone" }], [other("q", "b1", {})], "a2 b1 b2 x"],
    [
      "with an empty selector is about every pod",
      [{ topologyKey: "host", labelSelector: {} }],
      [other("q", "b1", {})],
      "a2 b2 x",
    ],
    [
      "must be met in every term",
      [near("host", "q"), near("zone", "r")],
      [other("q", "a2", { app: "q" }), other("r", "b1", { app: "r" })],
      "x",
    ],
    [
      "forgets pods that have ended",
      [near("zone", "q")],
      [other("q", "b1", { app: "q" }, { phase: "Succeeded" })],
      "a2 b1 b2 x",
    ],
  ])("%s", (_, podAntiAffinity, others, open) => {
    const found = targets({ affinity: { podAntiAffinity } }, others);
    expect(found.open).toBe(open);
    if (open !== "a2 b1 b2 x") expect(found.reasons).toBe("PodAntiAffinity");
  });
});

describe("required anti-affinity of pods that run", () => {
  const keepsAway = (...podAntiAffinity: PodTerm[]) => ({ affinity: { podAntiAffinity } });
  it.each<[string, PodSnapshot[], string]>([
    ["keeps the pod out of its zone", [other("q", "b1", {}, keepsAway(near("zone", "w")))], "a2 x"],
    ["keeps it off its node", [other("q", "b1", {}, keepsAway(near("host", "w")))], "a2 b2 x"],
    ["does not concern other pods", [other("q", "b1", {}, keepsAway(near("zone", "r")))], "a2 b1 b2 x"],
    [
      "concerns its own namespace",
      [other("q", "b1", {}, { ...elsewhere, ...keepsAway(near("zone", "w")) })],
      "a2 b1 b2 x",
    ],
    [
      "concerns namespaces by their labels",
      [other("q", "b1", {}, { ...elsewhere, ...keepsAway(near("zone", "w", { namespaceSelector: {} })) })],
      "a2 x",
    ],
    [
      "holds for the copy, which has none of the pod's labels while it is scheduled",
      [
        other(
          "q",
          "b1",
          {},
          keepsAway({
            topologyKey: "zone",
            labelSelector: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["w"] }] },
          }),
        ),
      ],
      "a2 x",
    ],
  ])("%s", (_, others, open) => {
    expect(targets({}, others).open).toBe(open);
  });

  it("is not its own: a pod that keeps away from its like may go on in its zone", () => {
    const own = { affinity: { podAntiAffinity: [near("zone", "w")] } };
    expect(targets(own, []).open).toBe("a2 b1 b2 x");
    expect(targets(own, [other("w2", "b1", { app: "w" }, own)]).open).toBe("a2 x");
  });
});

describe("required affinity", () => {
  it.each<[string, PodTerm[], PodSnapshot[], string]>([
    ["wants the zone of such a pod", [near("zone", "q")], [other("q", "b1", { app: "q" })], "b1 b2"],
    ["wants its node", [near("host", "q")], [other("q", "b1", { app: "q" })], "b1"],
    ["is met nowhere without such a pod", [near("zone", "q")], [], ""],
    [
      "wants pods that all terms select",
      [near("zone", "q"), { topologyKey: "host", labelSelector: { matchLabels: { db: "y" } } }],
      [other("q", "b1", { app: "q" }), other("r", "b2", { app: "q", db: "y" })],
      "b2",
    ],
    ["is of its own namespace", [near("zone", "q")], [other("q", "b1", { app: "q" }, elsewhere)], ""],
    ["of the first of its kind keeps to its domain", [near("zone", "w")], [], "a2"],
    ["goes with its siblings, not with itself", [near("zone", "w")], [other("w2", "b1", { app: "w" })], "b1 b2"],
  ])("%s", (_, podAffinity, others, open) => {
    const found = targets({ affinity: { podAffinity } }, others);
    expect(found).toEqual({ open, reasons: "PodAffinity" });
  });

  it("does not rely on a pod that is on its way to another domain", () => {
    const wants = { affinity: { podAffinity: [near("zone", "q")] } };
    const leaving = (to: string) => ({ moves: [move({ pod: "q", podUID: "uid-q", from: "b1", to })] });
    const q = other("q", "b1", { app: "q" });
    expect(targets(wants, [q], leaving("a2")).open).toBe("");
    expect(targets(wants, [q], leaving("b2")).open).toBe("b1 b2");
  });
});

describe("topology spread", () => {
  const spread = (more: Partial<SpreadConstraint> = {}): SpreadConstraint => ({
    maxSkew: 1,
    topologyKey: "zone",
    labelSelector: { matchLabels: { app: "w" } },
    ...more,
  });
  const like = (name: string, on: string, more: Partial<PodSnapshot> = {}) => other(name, on, { app: "w" }, more);
  it.each<[string, SpreadConstraint[], PodSnapshot[], string]>([
    ["with one in each zone lets the pod stay in its own", [spread()], [like("w2", "b1")], "a2"],
    ["lets it go where fewer are", [spread()], [like("w2", "a2")], "b1 b2"],
    ["allows the skew that is given", [spread({ maxSkew: 2 })], [like("w2", "b1")], "a2 b1 b2"],
    ["counts only what it selects", [spread()], [other("q", "b1", { app: "q" })], "a2 b1 b2"],
    ["counts its own namespace", [spread()], [like("w2", "b1", elsewhere)], "a2 b1 b2"],
    ["leaves out pods that are being deleted", [spread()], [like("w2", "b1", { terminating: true })], "a2 b1 b2"],
    ["by node", [spread({ topologyKey: "host" })], [like("w2", "b1"), like("w3", "a2")], "b2"],
    ["with fewer domains than wanted counts from none", [spread({ minDomains: 3 })], [like("w2", "b1")], "a2"],
    [
      "with fewer domains than wanted counts from none, and is met nowhere",
      [spread({ minDomains: 3 })],
      [like("w2", "b1"), like("w3", "a2")],
      "",
    ],
    ["must be met in every constraint", [spread(), spread({ topologyKey: "host" })], [like("w2", "b1")], "a2"],
  ])("%s", (_, topologySpread, others, open) => {
    expect(targets({ topologySpread }, others)).toEqual({ open, reasons: "TopologySpread" });
  });

  it("of a pod that it does not select counts the others alone", () => {
    const apart = { labels: { app: "v" }, topologySpread: [spread()] };
    expect(targets(apart, [like("w2", "b1")]).open).toBe("a2 b1 b2");
    expect(targets(apart, [like("w2", "b1"), like("w3", "b2")]).open).toBe("a2");
  });

  it("leaves out nodes that the pod's selector excludes, unless it is told to count them", () => {
    const others = [like("w2", "a1"), like("w3", "a2")];
    const onlyA = { affinity: { nodeTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }] } };
    const wanted = { ...onlyA } as Partial<PodSnapshot>; // the literal's operator is a string
    expect(targets({ ...wanted, topologySpread: [spread()] }, others).open).toBe("a2");
    expect(targets({ ...wanted, topologySpread: [spread({ nodeAffinityPolicy: "Ignore" })] }, others).open).toBe("");
  });

  it("counts nodes whose taints the pod does not tolerate, unless it is told to leave them out", () => {
    const nodes = NODES.map((one) =>
      one.labels.zone === "b" ? { ...one, taints: [{ key: "t", effect: "NoSchedule" as const }] } : one,
    );
    const others = [like("w2", "a1"), like("w3", "a2")];
    expect(targets({ topologySpread: [spread()] }, others, { nodes }).open).toBe("");
    expect(targets({ topologySpread: [spread({ nodeTaintsPolicy: "Honor" })] }, others, { nodes }).open).toBe("a2");
  });
});

describe("pods on the move", () => {
  const apart = { affinity: { podAntiAffinity: [near("host", "w")] }, labels: { app: "w" } };

  it("count where they go: two that keep apart do not get the same target in one evaluation", () => {
    const nodes = ["src", "t1", "t2"].map((name) => node(name, { labels: { host: name } }));
    const decide = (some: PodSnapshot[]) =>
      evaluate({ timeMs: NOW_MS, nodes, pods: some, moves: [] }, [
        policy({
          pressure: { strategy: "Threshold", freeBelow: "60%" },
          placement: { strategy: "BestFit", margin: "0%" },
          pacing: { strategy: "Concurrent", maxMovesPerEvaluation: 2 },
        }),
      ]).decision;
    const sizes = [20, 20].map((used, index) => pod(`p${index}`, "src", used, apart));
    const filler = pod("filler", "src", 50, { annotations: { "headroom.dev/move": "false" } });
    expect(brief(decide([...sizes, filler]).moves)).toEqual(["p0→t1", "p1→t2"]);
  });

  it("count where they go while their move is under way", () => {
    const moves = [move({ pod: "w2", podUID: "uid-w2", from: "b1", to: "a2" })];
    expect(targets(apart, [pod("w2", "b1", 1, apart)], { moves }).open).toBe("b2 x");
    const theirs = { affinity: apart.affinity };
    expect(
      targets({}, [pod("q", "b1", 1, theirs)], { moves: [move({ pod: "q", podUID: "uid-q", from: "b1", to: "a2" })] })
        .open,
    ).toBe("b2 x");
  });

  it("count in a topology spread where they leave and where they come", () => {
    const topologySpread = [{ maxSkew: 1, topologyKey: "zone", labelSelector: { matchLabels: { app: "w" } } }];
    const moves = [move({ pod: "w2", podUID: "uid-w2", from: "a2", to: "b1" })];
    const w2 = pod("w2", "a2", 1, { labels: { app: "w" } });
    expect(targets({ topologySpread }, [w2]).open).toBe("b1 b2");
    expect(targets({ topologySpread }, [w2], { moves }).open).toBe("");
  });
});
