import { describe, expect, it } from "vitest";
import { targetPod, targetPodName } from "../../../src/controllers/pod-migration/target-pod.ts";
import type { Pod } from "../../../src/kube/resources.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";

const OPTIONS = {
  name: "counter-m1",
  moveUID: "move-1",
  lineage: "first",
  node: "z2",
  nowMs: Date.parse("2026-01-01T00:01:00Z"),
  namespaceUID: "ns-1",
};

function copyOf(edit: (pod: Pod) => void = () => {}): Pod {
  const source = sourcePod();
  edit(source);
  return targetPod(source, OPTIONS);
}

function pinsOf(pod: Pod) {
  return pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
}

const PIN = { key: "metadata.name", operator: "In", values: ["z2"] };

describe("the target pod", () => {
  it("has neither owner nor labels of the source, only the move's and the lineage", () => {
    const copy = copyOf((pod) => {
      pod.metadata.ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "1" }];
      pod.metadata.finalizers = ["batch.kubernetes.io/job-tracking"];
    });
    expect(copy.metadata.labels).toEqual({ "headroom.dev/move-uid": "move-1", "headroom.dev/lineage": "first" });
    expect(copy.metadata.finalizers).toBeUndefined();
    expect(copy.status).toBeUndefined();
  });

  it("is owned by its namespace: no controller adopts it, and the garbage collector never finds its owner gone", () => {
    expect(copyOf().metadata.ownerReferences).toEqual([
      {
        apiVersion: "v1",
        kind: "Namespace",
        name: "default",
        uid: "ns-1",
        controller: true,
        blockOwnerDeletion: false,
      },
    ]);
  });

  it("is not ready before it is released, however often its pod is moved", () => {
    const gate = { conditionType: "headroom.dev/handed-over" };
    const own = { conditionType: "example.test/warm" };
    expect(copyOf().spec.readinessGates).toEqual([gate]);
    const moved = copyOf((pod) => Object.assign(pod.spec, { readinessGates: [own, gate] }));
    expect(moved.spec.readinessGates).toEqual([own, gate]);
    expect(moved.status).toBeUndefined();
  });

  it("waits behind the gate, for the node's own scheduler, under the runtime class", () => {
    const { spec } = copyOf();
    expect(spec.nodeName).toBeUndefined();
    expect(spec.schedulingGates).toEqual([{ name: "headroom.dev/registering" }]);
    expect(spec.runtimeClassName).toBe("headroom");
  });

  it("runs the very image that runs now, without pulling it again", () => {
    const [container] = copyOf().spec.containers;
    expect(container).toMatchObject({ image: "example.test/counter@sha256:aa", imagePullPolicy: "IfNotPresent" });
  });

  it("leaves out what admission fills in, and completed init containers", () => {
    const { spec } = copyOf((pod) =>
      Object.assign(pod.spec, {
        priority: 5,
        preemptionPolicy: "Never",
        priorityClassName: "high",
        overhead: { memory: "1Mi" },
        initContainers: [{ name: "setup" }],
      }),
    );
    expect(spec).not.toHaveProperty("priority");
    expect(spec).not.toHaveProperty("preemptionPolicy");
    expect(spec).not.toHaveProperty("overhead");
    expect(spec).not.toHaveProperty("initContainers");
    expect(spec.priorityClassName).toBe("high");
  });

  it("keeps the service account's token volume under its name, so that no second one is injected", () => {
    const volumes = [{ name: "kube-api-access-x2v", projected: { sources: [] } }];
    expect(copyOf((pod) => Object.assign(pod.spec, { volumes })).spec.volumes).toEqual(volumes);
  });

  it("has the source's host name", () => {
    expect(copyOf().spec.hostname).toBe("counter");
    expect(copyOf((pod) => Object.assign(pod.spec, { hostname: "own" })).spec.hostname).toBe("own");
    expect(copyOf((pod) => Object.assign(pod.metadata, { name: "with.dots" })).spec).not.toHaveProperty("hostname");
  });

  it("is pinned to its node, beside what the pod itself requires of nodes", () => {
    expect(pinsOf(copyOf())).toEqual([{ matchFields: [PIN] }]);
    const matchExpressions = [{ key: "disk", operator: "In", values: ["ssd"] }];
    const affinity = (terms: object[]) => (pod: Pod) =>
      Object.assign(pod.spec, {
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
      });
    expect(pinsOf(copyOf(affinity([{ matchExpressions }])))).toEqual([{ matchExpressions, matchFields: [PIN] }]);
    const earlier = [{ key: "metadata.name", operator: "In", values: ["z1"] }];
    expect(pinsOf(copyOf(affinity([{ matchFields: earlier }])))).toEqual([{ matchFields: [PIN] }]);
    expect(pinsOf(copyOf(affinity([{ matchExpressions, matchFields: earlier }])))).toEqual([
      { matchExpressions, matchFields: [PIN] },
    ]);
  });

  it("is given what is left of the pod's deadline", () => {
    const copy = copyOf((pod) => {
      pod.spec.activeDeadlineSeconds = 100;
      Object.assign(pod.status ?? {}, { startTime: "2026-01-01T00:00:00Z" });
    });
    expect(copy.spec.activeDeadlineSeconds).toBe(40);
  });

  it("carries the pod's own annotations, not those that controllers wrote about it", () => {
    const own = { "example.test/note": "x", "headroom.dev/expected-runtime": "1h" };
    const cost = { "controller.kubernetes.io/pod-deletion-cost": "7" };
    expect(copyOf((pod) => Object.assign(pod.metadata, { annotations: cost })).metadata.annotations).toMatchObject(
      cost,
    );
    const theirs = {
      "kubectl.kubernetes.io/last-applied-configuration": "{}",
      "cni.projectcalico.org/podIP": "10.0.0.1",
      "controller.kubernetes.io/pod-deletion-cost": "-2147483648", // an earlier hand-over's
    };
    const copy = copyOf((pod) => Object.assign(pod.metadata, { annotations: { ...own, ...theirs } }));
    expect(copy.metadata.annotations).toMatchObject(own);
    for (const key of Object.keys(theirs)) expect(copy.metadata.annotations).not.toHaveProperty([key]);
  });

  it("says when the first of its lineage started, however often it is moved", () => {
    const started = (pod: Pod) => pod.metadata.annotations?.["headroom.dev/started-at"];
    const status = { startTime: "2026-01-01T00:00:00Z" };
    const copy = copyOf((pod) => Object.assign(pod, { status: { ...pod.status, ...status } }));
    expect(started(copy)).toBe("2026-01-01T00:00:00.000Z");
    const again = copyOf((pod) => {
      pod.metadata.annotations = { "headroom.dev/started-at": "2025-12-31T00:00:00Z" };
      Object.assign(pod, { status: { ...pod.status, ...status } });
    });
    expect(started(again)).toBe("2025-12-31T00:00:00.000Z");
    expect(started(copyOf((pod) => Object.assign(pod, { status: {} })))).toBeUndefined();
  });

  it("keeps its anti-affinity, but for what would keep it away from its source", () => {
    const labels = { app: "w" };
    const term = (app: string, topologyKey: string, more: object = {}) => ({
      topologyKey,
      labelSelector: { matchLabels: { app } },
      ...more,
    });
    const other = [term("q", "zone"), term("w", "zone", { namespaces: ["elsewhere"] })];
    const host = term("w", "kubernetes.io/hostname");
    const copy = copyOf((pod) => {
      pod.metadata.labels = labels;
      pod.spec.affinity = {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term("w", "zone"), ...other, host] },
      };
    });
    expect(copy.spec.affinity?.podAntiAffinity).toEqual({
      requiredDuringSchedulingIgnoredDuringExecution: [...other, host],
    });
  });
});

describe("its name", () => {
  it("is the source's with a short hash of the move", () => {
    expect(targetPodName(sourcePod(), "a")).toMatch(/^counter-m[0-9a-f]{8}$/);
    expect(targetPodName(sourcePod(), "a")).not.toBe(targetPodName(sourcePod(), "b"));
  });

  it("does not grow with every move", () => {
    const moved = sourcePod();
    Object.assign(moved.metadata, { name: "counter-m1a2b3c4d", labels: { "headroom.dev/lineage": "first" } });
    expect(targetPodName(moved, "a")).toBe(targetPodName(sourcePod(), "a"));
  });

  it("fits a host name, whatever the source is called", () => {
    const long = sourcePod();
    long.metadata.name = `${"x".repeat(52)}-.${"y".repeat(150)}`;
    expect(targetPodName(long, "a")).toMatch(/^x{52}-m[0-9a-f]{8}$/);
  });
});
