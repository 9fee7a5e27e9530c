import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import { targetChange } from "../../../src/controllers/pod-migration/target-changes.ts";
import { targetPod } from "../../../src/controllers/pod-migration/target-pod.ts";
import type { Pod } from "../../../src/kube/resources.ts";
import { sourcePod } from "../../support/moving-world/source-pod.ts";

const OPTIONS = { name: "t", moveUID: "move-1", lineage: "first", node: "z2", nowMs: 0, namespaceUID: "ns-1" };

function sent(): Pod {
  const source = sourcePod();
  Object.assign(source.spec, { volumes: [{ name: "scratch", emptyDir: {} }] });
  Object.assign(source.spec.containers[0] ?? {}, {
    env: [{ name: "MODE", value: "fast" }],
    args: ["--port", "80"],
    resources: { limits: { memory: "1Gi" } },
    volumeMounts: [{ name: "scratch", mountPath: "/tmp" }],
  });
  return targetPod(source, OPTIONS);
}

const spec = (change: Partial<V1PodSpec>) => (pod: Pod) => Object.assign(pod.spec, change);
const container = (change: Partial<V1Container>) => (pod: Pod) => Object.assign(pod.spec.containers[0] ?? {}, change);

const CHANGED: [what: string, path: string, mutate: (pod: Pod) => unknown][] = [
  ["a sidecar", "spec.containers[proxy]", (pod) => pod.spec.containers.push({ name: "proxy", image: "p" })],
  ["an init container", "spec.initContainers[setup]", spec({ initContainers: [{ name: "setup", image: "s" }] })],
  ["no container of that name", "spec.containers[counter]", container({ name: "other" })],
  ["another image", "spec.containers[counter].image", container({ image: "mirror.test/counter:1" })],
  ["a variable", "spec.containers[counter].env[PROXY]", (pod) => pod.spec.containers[0]?.env?.push({ name: "PROXY" })],
  ["another value", "spec.containers[counter].env[MODE].value", container({ env: [{ name: "MODE", value: "slow" }] })],
  ["other arguments", "spec.containers[counter].args[1]", container({ args: ["--port", "81"] })],
  [
    "other limits",
    "spec.containers[counter].resources.limits.memory",
    container({ resources: { limits: { memory: "1M" } } }),
  ],
  [
    "a mount",
    "spec.containers[counter].volumeMounts[/certs]",
    (pod) => pod.spec.containers[0]?.volumeMounts?.push({ name: "scratch", mountPath: "/certs" }),
  ],
  ["no mounts", "spec.containers[counter].volumeMounts[/tmp]", container({ volumeMounts: [] })],
  ["a volume", "spec.volumes[certs]", (pod) => pod.spec.volumes?.push({ name: "certs", emptyDir: {} })],
  ["another user", "spec.securityContext", spec({ securityContext: { runAsUser: 5 } })],
  ["another runtime", "spec.runtimeClassName", spec({ runtimeClassName: "gvisor" })],
  ["no pin to its node", "spec.affinity.nodeAffinity", spec({ affinity: {} })],
  ["no scheduling gate", "spec.schedulingGates", spec({ schedulingGates: [] })],
  ["no readiness gate", "spec.readinessGates", spec({ readinessGates: [] })],
  ["no owner", "metadata.ownerReferences", ({ metadata }) => Object.assign(metadata, { ownerReferences: [] })],
];

const HARMLESS: [what: string, mutate: (pod: Pod) => unknown][] = [
  ["nothing", () => {}],
  ["a priority", spec({ priority: 7, preemptionPolicy: "Never" })],
  ["tolerations", spec({ tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists" }] })],
  ["a node selector and pull secrets", spec({ nodeSelector: { pool: "a" }, imagePullSecrets: [{ name: "r" }] })],
  ["a pull policy", container({ imagePullPolicy: "Always" })],
  ["empty fields", container({ ports: [], securityContext: {} })],
  ["labels and annotations", ({ metadata }) => Object.assign(metadata, { annotations: { "example.test/seen": "1" } })],
];

function judge(mutate: (pod: Pod) => unknown) {
  const taken = structuredClone(sent());
  mutate(taken);
  return targetChange(sent(), taken);
}

describe("a target pod to which admission gave", () => {
  it.each(CHANGED)("%s is not the copy of its source: %s", (_, path, mutate) => {
    const change = judge(mutate);
    expect(change?.reason).toBe("TargetPodChanged");
    expect(change?.message).toContain(`changed ${path} of`);
  });

  it.each(HARMLESS)("%s is", (_, mutate) => {
    expect(judge(mutate)).toBeUndefined();
  });
});
