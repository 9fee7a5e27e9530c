import { describe, expect, test } from "vitest";
import type { PodMigration } from "../../src/api/v1alpha1/pod-migration.ts";
import { answerOf, render, selectorText } from "../../src/cli/check.ts";
import type { Pod } from "../../src/kube/resources.ts";

const fieldRef = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const pod = (...env: object[]): Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "shop" },
    spec: { nodeName: "n1", containers: [{ name: "main", env }] },
  }) as unknown as Pod;
const ended = (status: object): PodMigration => ({ status }) as PodMigration;
const COULD = ended({
  phase: "Cancelled",
  reason: "DryRun",
  message: "to node n2, 64Mi of memory: a freeze of about 0.7 s",
  targetNode: "n2",
  freeze: { expectedMilliseconds: 700 },
});
const COULD_NOT = ended({ phase: "Failed", reason: "Socket", message: "process 7 has a socket" });

describe("the answer about a pod", () => {
  test("that could be moved names the node and the freeze", () => {
    expect(answerOf(pod(), COULD)).toMatchObject({
      namespace: "shop",
      pod: "web",
      node: "n1",
      movable: true,
      targetNode: "n2",
      expectedFreezeMilliseconds: 700,
      notes: [],
    });
  });

  test.each([
    [COULD_NOT, "Socket"],
    [ended({ phase: "Cancelled", reason: "Cancelled", message: "spec.cancel was set" }), "Cancelled"],
    [ended({ phase: "Cancelled", reason: "Deleted", message: "it was deleted" }), "Deleted"],
  ])("that could not says why", (move, reason) => {
    const answer = answerOf(pod(fieldRef("POD_IP", "status.podIP")), move);
    expect(answer).toMatchObject({ movable: false, reason, notes: [] });
    expect(answer).not.toHaveProperty("targetNode");
  });

  test("names what its processes were told and go on believing", () => {
    const told = [
      fieldRef("POD_IP", "status.podIP"),
      fieldRef("NODE", "spec.nodeName"),
      fieldRef("NAMESPACE", "metadata.namespace"),
      { name: "PLAIN", value: "1" },
    ];
    expect(answerOf(pod(...told), COULD).notes).toEqual([
      "its environment keeps the values of before the move: POD_IP, NODE",
    ]);
  });
});

test.each([
  [{ matchLabels: { app: "web", tier: "a" } }, "app=web,tier=a"],
  [{ matchExpressions: [{ key: "app", operator: "In", values: ["a", "b"] }] }, "app in (a,b)"],
  [
    {
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "x", operator: "NotIn", values: ["a"] },
        { key: "y", operator: "Exists" },
        { key: "z", operator: "DoesNotExist" },
      ],
    },
    "app=web,x notin (a),y,!z",
  ],
])("a selector %j is asked for as %s", (selector, text) => {
  expect(selectorText(selector)).toBe(text);
});

test("answers are shown as a table, notes below it", () => {
  const answers = [answerOf(pod(fieldRef("POD_IP", "status.podIP")), COULD), answerOf(pod(), COULD_NOT)];
  expect(render(answers)).toBe(
    `POD   NODE   MOVABLE   HOW, OR WHY NOT
web   n1     yes       to node n2, 64Mi of memory: a freeze of about 0.7 s
web   n1     no        Socket: process 7 has a socket

web: its environment keeps the values of before the move: POD_IP`,
  );
});
