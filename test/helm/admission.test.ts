/** The chart's admission policies, as CEL evaluates them: what the controller does is admitted, what a thief of its token would do is not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Environment } from "@marcbachmann/cel-js";
import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import { GATE_TAINT, LINEAGE_LABEL, MOVE_LABEL, REGISTERING_GATE } from "../../src/api/v1alpha1/group.ts";
import { targetPod } from "../../src/controllers/pod-migration/target-pod.ts";
import type { Node, Pod } from "../../src/kube/resources.ts";
import { CHART } from "./render.ts";

interface Policy {
  matchConditions: { expression: string }[];
  validations: { expression: string; message: string }[];
}

interface Request {
  operation: "CREATE" | "UPDATE" | "DELETE";
  /** Default: the controller. */
  user?: string;
  namespace?: string;
  resource?: string;
  object?: unknown;
  oldObject?: unknown;
}

const CONTROLLER = "system:serviceaccount:headroom-system:headroom-controller";
const CEL = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  enableOptionalTypes: true,
});

/** The messages with which a request is denied. */
function denials(name: string, asked: Request): string[] {
  const text = readFileSync(join(CHART, `files/admission/${name}.yaml`), "utf8");
  const policy = load(text) as Policy; // the chart's own file
  const { operation, user = CONTROLLER, namespace = "team-a", resource = "", object = null, oldObject = null } = asked;
  const request = { operation, namespace, userInfo: { username: user }, resource: { resource } };
  const context = { request, object, oldObject };
  const holds = (expression: string) => CEL.evaluate(expression, context) === true;
  if (!policy.matchConditions.every(({ expression }) => holds(expression))) return [];
  return policy.validations.filter(({ expression }) => !holds(expression)).map(({ message }) => message);
}

const SOURCE: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "team-a", uid: "u1", labels: { app: "web" } },
  spec: {
    nodeName: "n1",
    serviceAccountName: "default",
    containers: [{ name: "main", image: "web:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
    volumes: [{ name: "data", emptyDir: {} }],
  },
};

/** The copy as the controller makes it. */
const copy = () =>
  targetPod(SOURCE, { name: "web-m1", moveUID: "m1", lineage: "u1", node: "n2", nowMs: 0, namespaceUID: "ns" });

function copyBut(change: (pod: ReturnType<typeof copy>) => void) {
  const pod = copy();
  change(pod);
  return pod;
}

const [container] = SOURCE.spec.containers;
const withImage = (image: string) => ({ ...SOURCE, spec: { ...SOURCE.spec, containers: [{ ...container, image }] } });

describe("of pods, the controller's account", () => {
  test.each<[string, Request, RegExp | undefined]>([
    ["may create the copy of a move", { operation: "CREATE", object: copy() }, undefined],
    ["may hand over labels", { operation: "UPDATE", oldObject: SOURCE, object: SOURCE }, undefined],
    ["may delete a source", { operation: "DELETE", oldObject: SOURCE }, undefined],
    [
      "may not create one in kube-system",
      { operation: "CREATE", namespace: "kube-system", object: copy() },
      /kube-system/,
    ],
    [
      "may not create one in its own namespace",
      { operation: "CREATE", namespace: "headroom-system", object: copy() },
      /own namespace/,
    ],
    [
      "may not change an agent's pod",
      { operation: "UPDATE", namespace: "headroom-system", oldObject: SOURCE, object: SOURCE },
      /own namespace/,
    ],
    [
      "may not delete in kube-system",
      { operation: "DELETE", namespace: "kube-system", oldObject: SOURCE },
      /kube-system/,
    ],
    [
      "may not create one without the gate",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          spec.schedulingGates = [];
        }),
      },
      /scheduling gate/,
    ],
    [
      "may not create one under another RuntimeClass",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          spec.runtimeClassName = "runc";
        }),
      },
      /RuntimeClass/,
    ],
    [
      "may not create one that is no move's",
      {
        operation: "CREATE",
        object: copyBut(({ metadata }) => {
          metadata.labels = { [LINEAGE_LABEL]: "u1" };
        }),
      },
      /labels headroom.dev\/move-uid/,
    ],
    [
      "may not place one on a node itself",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          spec.nodeName = "n2";
        }),
      },
      /scheduler/,
    ],
    [
      "may not create one in its node's process namespace",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          spec.hostPID = true;
        }),
      },
      /namespace of its node/,
    ],
    [
      "may not create one with a folder of its node",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          spec.volumes = [{ name: "root", hostPath: { path: "/" } }];
        }),
      },
      /hostPath/,
    ],
    [
      "may not create a privileged one",
      {
        operation: "CREATE",
        object: copyBut(({ spec }) => {
          for (const one of spec.containers) one.securityContext = { privileged: true };
        }),
      },
      /privileged/,
    ],
    [
      "may not have another image run in somebody's pod",
      { operation: "UPDATE", oldObject: SOURCE, object: withImage("thief:1") },
      /image/,
    ],
    ["is the only one that is confined", { operation: "CREATE", user: "alice", namespace: "kube-system" }, undefined],
  ])("%s", (_about, request, said) => {
    const denied = denials("controller-pods", request);
    if (said === undefined) expect(denied).toEqual([]);
    else expect(denied.join("\n")).toMatch(said);
  });

  test("creates what the policy names: labels, gate and RuntimeClass are those of the code", () => {
    const text = readFileSync(join(CHART, "files/admission/controller-pods.yaml"), "utf8");
    for (const name of [MOVE_LABEL, LINEAGE_LABEL, REGISTERING_GATE]) expect(text).toContain(`"${name}"`);
  });
});

const taint = (key: string, effect = "NoSchedule") => ({ key, value: "p", effect });
const nodeWith = (taints: ReturnType<typeof taint>[] | undefined, more: Partial<Node["metadata"]> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", labels: { zone: "a" }, ...more },
  spec: taints ? { taints } : {},
});

describe("of nodes, the controller's account", () => {
  test.each<[string, Node, Node, RegExp | undefined]>([
    ["may put its taint on", nodeWith(undefined), nodeWith([taint(GATE_TAINT)]), undefined],
    ["may take its taint off", nodeWith([taint("x"), taint(GATE_TAINT)]), nodeWith([taint("x")]), undefined],
    ["may not take another's taint off", nodeWith([taint("control-plane")]), nodeWith([]), /no taint but/],
    ["may not put another taint on", nodeWith([]), nodeWith([taint("x")]), /no taint but/],
    ["may not evict pods by its taint", nodeWith([]), nodeWith([taint(GATE_TAINT, "NoExecute")]), /evicts none/],
    ["may not change a label", nodeWith([]), nodeWith([], { labels: { zone: "b" } }), /nothing of a node but/],
  ])("%s", (_about, oldObject, object, said) => {
    const denied = denials("controller-nodes", { operation: "UPDATE", object, oldObject });
    if (said === undefined) expect(denied).toEqual([]);
    else expect(denied.join("\n")).toMatch(said);
  });

  test("may not delete one", () => {
    expect(denials("controller-nodes", { operation: "DELETE", oldObject: nodeWith([]) }).join()).toMatch(/neither/);
  });
});

describe("of Secrets, ConfigMaps and Leases, the controller's account", () => {
  const own = { namespace: "headroom-system" };
  const named = (name: string, more: object = {}) => ({ metadata: { name, ...own }, ...more });
  test.each<[string, Request, RegExp | undefined]>([
    [
      "may keep its authority",
      { ...own, operation: "CREATE", resource: "secrets", object: named("headroom-ca") },
      undefined,
    ],
    [
      "may publish it",
      { ...own, operation: "UPDATE", resource: "configmaps", object: named("headroom-ca") },
      undefined,
    ],
    [
      "may hold its lease",
      { ...own, operation: "CREATE", resource: "leases", object: named("headroom-controller") },
      undefined,
    ],
    [
      "may tell of the nodes",
      { ...own, operation: "CREATE", resource: "configmaps", object: named("headroom-nodes") },
      undefined,
    ],
    [
      "may not do so in a Secret",
      { ...own, operation: "CREATE", resource: "secrets", object: named("headroom-nodes") },
      /writes only/,
    ],
    [
      "may write no other Secret",
      { ...own, operation: "CREATE", resource: "secrets", object: named("x") },
      /writes only/,
    ],
    [
      "may write no other ConfigMap",
      { ...own, operation: "CREATE", resource: "configmaps", object: named("x") },
      /writes only/,
    ],
    [
      "may hold no other lease",
      { ...own, operation: "CREATE", resource: "leases", object: named("headroom-ca") },
      /writes only/,
    ],
    [
      "may make no token of an account",
      {
        ...own,
        operation: "CREATE",
        resource: "secrets",
        object: named("headroom-ca", { type: "kubernetes.io/service-account-token" }),
      },
      /no token/,
    ],
  ])("%s", (_about, request, said) => {
    const denied = denials("controller-own-objects", request);
    if (said === undefined) expect(denied).toEqual([]);
    else expect(denied.join("\n")).toMatch(said);
  });
});

describe("of moves", () => {
  const object = { spec: { podName: "web", policyName: "p" } };
  test.each<[string, Request, RegExp | undefined]>([
    ["a user may ask for one", { operation: "CREATE", user: "alice", object: { spec: { podName: "web" } } }, undefined],
    ["a user may not say that a policy asks for it", { operation: "CREATE", user: "alice", object }, /policyName/],
    ["the controller may", { operation: "CREATE", object }, undefined],
  ])("%s", (_about, request, said) => {
    const denied = denials("moves", request);
    if (said === undefined) expect(denied).toEqual([]);
    else expect(denied.join("\n")).toMatch(said);
  });
});

test("every policy fails closed", () => {
  for (const file of readdirSync(join(CHART, "files/admission"))) {
    const policy = load(readFileSync(join(CHART, "files/admission", file), "utf8"));
    expect(policy).toMatchObject({ failurePolicy: "Fail" });
  }
});
