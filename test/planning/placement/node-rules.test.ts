import { describe, expect, it } from "vitest";
import { choosePlacement } from "../../../src/planning/placement/choose-placement.ts";
import type { NodeTerm } from "../../../src/planning/scheduling-rules.ts";
import type { NodeSnapshot, PodSnapshot } from "../../../src/planning/snapshot.ts";
import { NOW_MS, node, pod } from "../fixtures.ts";

/** What planning says of node `b` as the target of a pod that runs on `a`. */
function refusal(podMore: Partial<PodSnapshot>, nodeMore: Partial<NodeSnapshot>): string | undefined {
  const snapshot = {
    timeMs: NOW_MS,
    nodes: [node("a"), node("b", nodeMore)],
    pods: [pod("w", "a", 10, podMore)],
    moves: [],
  };
  const answer = choosePlacement(snapshot, { podUID: "uid-w", targetNode: "b" });
  return answer.ok ? undefined : answer.reason;
}

const expression = (key: string, operator: string, ...values: string[]): NodeTerm => ({
  matchExpressions: [{ key, operator: operator as "In", values }],
});
const name = (operator: "In" | "NotIn", value: string): NodeTerm => ({
  matchFields: [{ key: "metadata.name", operator, values: [value] }],
});

describe("required node affinity", () => {
  const labels = { disk: "ssd", gen: "7", odd: "x7" };
  it.each<[string, NodeTerm[], boolean]>([
    ["In: one of the values", [expression("disk", "In", "hdd", "ssd")], true],
    ["In: none of them", [expression("disk", "In", "hdd")], false],
    ["In: no such label", [expression("none", "In", "hdd")], false],
    ["NotIn: another value", [expression("disk", "NotIn", "hdd")], true],
    ["NotIn: that value", [expression("disk", "NotIn", "ssd")], false],
    ["NotIn: no such label", [expression("none", "NotIn", "ssd")], true],
    ["Exists", [expression("disk", "Exists")], true],
    ["Exists: no such label, though objects have such a member", [expression("toString", "Exists")], false],
    ["DoesNotExist", [expression("none", "DoesNotExist")], true],
    ["DoesNotExist: it does", [expression("disk", "DoesNotExist")], false],
    ["Gt: greater", [expression("gen", "Gt", "6")], true],
    ["Gt: equal is not greater", [expression("gen", "Gt", "7")], false],
    ["Gt: compared as numbers, not as text", [expression("gen", "Gt", "10")], false],
    ["Lt: less", [expression("gen", "Lt", "10")], true],
    ["Lt: equal is not less", [expression("gen", "Lt", "7")], false],
    ["Gt: the label is no number", [expression("odd", "Gt", "1")], false],
    ["Lt: no such label", [expression("none", "Lt", "1")], false],
    ["the node's name", [name("In", "b")], true],
    ["another node's name", [name("In", "c")], false],
    ["not that node's name", [name("NotIn", "b")], false],
    ["one term of several", [expression("none", "Exists"), expression("disk", "Exists")], true],
    ["all requirements of a term", [{ ...expression("disk", "Exists"), ...name("In", "c") }], false],
    ["a term without requirements", [{}], false],
    ["no terms at all", [], false],
  ])("%s", (_, nodeTerms, admitted) => {
    expect(refusal({ affinity: { nodeTerms } }, { labels })).toBe(admitted ? undefined : "NodeAffinity");
  });

  it("says which nodes would do", () => {
    const nodeTerms = [expression("disk", "In", "hdd", "tape"), expression("gen", "Gt", "9")];
    const snapshot = {
      timeMs: NOW_MS,
      nodes: [node("a"), node("b")],
      pods: [pod("w", "a", 10, { affinity: { nodeTerms } })],
      moves: [],
    };
    const message = "the pod requires a node with disk In hdd|tape, or gen Gt 9";
    expect(choosePlacement(snapshot, { podUID: "uid-w", targetNode: "b" })).toMatchObject({ ok: false, message });
  });
});

describe("tolerations", () => {
  const taint = { key: "team", value: "db", effect: "NoSchedule" as const };
  it.each<[string, PodSnapshot["tolerations"], NodeSnapshot["taints"], boolean]>([
    ["none", [], [taint], false],
    ["none are needed for a preference", [], [{ ...taint, effect: "PreferNoSchedule" }], true],
    ["equal key and value", [{ key: "team", value: "db" }], [taint], true],
    ["another value", [{ key: "team", value: "web" }], [taint], false],
    ["equal key, any value", [{ key: "team", operator: "Exists" }], [taint], true],
    ["of everything", [{ operator: "Exists" }], [taint], true],
    ["of everything, of this effect", [{ operator: "Exists", effect: "NoSchedule" }], [taint], true],
    ["of another effect", [{ key: "team", operator: "Exists", effect: "NoExecute" }], [taint], false],
    ["of no key but for everything", [{ value: "db" }], [taint], false],
    ["without a value, of a taint without one", [{ key: "k" }], [{ key: "k", effect: "NoExecute" }], true],
    ["of one of two", [{ key: "team", value: "db" }], [taint, { key: "k", effect: "NoExecute" }], false],
  ])("%s", (_, tolerations, taints, tolerated) => {
    expect(refusal({ tolerations }, { taints })).toBe(tolerated ? undefined : "TaintNotTolerated");
  });
});
