import { describe, expect, it } from "vitest";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { refusal } from "./refusal.ts";

const GiB = 1024 ** 3;
const read = (text: string) => readWorkload(text, { fileName: "pods.yaml" });
const points = (text: string) => {
  const [pod] = read(text);
  return {
    duration: pod?.durationSeconds,
    seconds: [...(pod?.trace.seconds ?? [])],
    bytes: [...(pod?.trace.bytes ?? [])],
  };
};
const pod = (simSpec: string, more = "") =>
  `kind: Pod\nmetadata:\n  name: a\n  annotations:\n    simSpec: |\n${simSpec.replace(/^/gm, "      ")}\n${more}`;

describe("simSpec", () => {
  it("phases last their seconds, at one level each", () => {
    const phases =
      "- {seconds: 60, resourceUsage: {cpu: 1, memory: 1Gi}}\n- {seconds: 120, resourceUsage: {memory: 3Gi}}";
    const expected = { duration: 180, seconds: [0, 59.999, 60, 179.999], bytes: [GiB, GiB, 3 * GiB, 3 * GiB] };
    expect(points(pod(phases))).toEqual(expected);
    expect(points(phases)).toEqual(expected);
    expect(read(phases)[0]?.name).toBe("pods");
  });

  it("a phase of no seconds is none", () => {
    const phases = "- {seconds: 60, resourceUsage: {memory: 1Gi}}\n- {seconds: 0, resourceUsage: {memory: 9Gi}}";
    expect(points(pod(phases))).toEqual({ duration: 60, seconds: [0, 59.999], bytes: [GiB, GiB] });
  });

  it("phases that begin with 0 and ascend are recorded samples", () => {
    const phases = [0, 60, 120].map(
      (seconds) => `- seconds: ${seconds}.000000\n  resourceUsage:\n    cpu: 8\n    memory: ${seconds + 5}.000000`,
    );
    expect(points(pod(phases.join("\n")))).toEqual({ duration: 120, seconds: [0, 60, 120], bytes: [5, 65, 125] });
  });

  it("the pod's own spec tells the rest", () => {
    const spec = `
spec:
  nodeName: zone2
  nodeSelector: {size: big}
  tolerations: [{key: k, operator: Exists, effect: NoSchedule}]
  containers:
  - {name: a, image: a, resources: {requests: {cpu: 4, memory: 2Gi}, limits: {memory: 4Gi}}}
  - {name: b, image: b, resources: {limits: {memory: 1Gi}}}
`;
    expect(read(pod("- {seconds: 60, resourceUsage: {memory: 1Gi}}", spec))[0]).toMatchObject({
      namespace: "default",
      name: "a",
      node: "zone2",
      annotations: {},
      nodeSelector: { size: "big" },
      tolerations: [{ key: "k", operator: "Exists", effect: "NoSchedule" }],
      requestBytes: 3 * GiB,
      limitBytes: 5 * GiB,
    });
  });

  describe("what would keep the pod from being moved in a cluster is told too", () => {
    const spec = "- {seconds: 60, resourceUsage: {memory: 1Gi}}";
    const facts = (more: string) => read(pod(spec, more))[0];

    it.each([
      ["SeveralContainers", "spec: {containers: [{name: a}, {name: b}]}"],
      ["HostPath", "spec: {containers: [{name: a}], volumes: [{name: v, hostPath: {path: /}}]}"],
      ["HostNamespaces", "spec: {containers: [{name: a}], hostNetwork: true}"],
      ["Sidecar", "spec: {containers: [{name: a}], initContainers: [{name: s, restartPolicy: Always}]}"],
      [
        "SubPath",
        "spec: {containers: [{name: a, volumeMounts: [{name: v, subPath: x}]}], volumes: [{name: v, emptyDir: {}}]}",
      ],
    ])("%s", (reason, more) => {
      expect(facts(more)?.obstacle?.reason).toBe(reason);
    });

    it("its owner", () => {
      const owned = (kind: string, apiVersion: string) =>
        read(
          `{kind: Pod, metadata: {name: a, annotations: {simSpec: "[{seconds: 5, resourceUsage: {memory: 1Gi}}]"},
            ownerReferences: [{apiVersion: ${apiVersion}, kind: ${kind}, name: o, uid: u, controller: true}]}}`,
        )[0];
      expect(owned("DaemonSet", "apps/v1")).toMatchObject({
        ownerKind: "DaemonSet",
        obstacle: { reason: "DaemonSet" },
      });
      expect(owned("Job", "batch/v1")?.ownerKind).toBe("Job");
      expect(owned("Job", "batch/v1")).not.toHaveProperty("obstacle");
    });

    it("its affinity and spread", () => {
      const rules = `
spec:
  affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {}}]}}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]`;
      expect(facts(rules)).toMatchObject({
        affinity: { podAntiAffinity: [{ topologyKey: "zone" }] },
        topologySpread: [{ maxSkew: 1 }],
      });
    });

    it.each([
      "",
      "spec: {containers: []}",
      "spec: {containers: [{name: a, volumeMounts: null, lifecycle: null}], volumes: null, runtimeClassName: null, affinity: null}",
      "spec: {containers: [{name: a}], volumes: [{name: v, emptyDir: {}}, {name: t, projected: {}}]}\nstatus: {phase: Pending}",
    ])("and nothing else is: %j", (more) => {
      expect(facts(more)).not.toHaveProperty("obstacle");
    });
  });

  it("pods may come in a list, or in several documents", () => {
    const one = (name: string) =>
      `{kind: Pod, metadata: {name: ${name}, annotations: {simSpec: "[{seconds: 5, resourceUsage: {memory: 1Gi}}]", headroom.dev/expected-runtime: 1h}}}`;
    expect(read(`{kind: List, items: [${one("a")}, ${one("b")}]}`).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(read(`${one("a")}\n---\n${one("b")}`).map((each) => each.expectedRuntimeSeconds)).toEqual([3600, 3600]);
  });

  it.each([
    ["- {seconds: 60}", "line 6: metadata.annotations.simSpec[0].resourceUsage: expected object"],
    [
      "- {seconds: 60, resourceUsage: {cpu: 1}}",
      "metadata.annotations.simSpec[0].resourceUsage.memory: expected a quantity",
    ],
    [
      "- {seconds: -1, resourceUsage: {memory: 1Gi}}",
      "metadata.annotations.simSpec[0].seconds: expected a duration such as 10m, or a number of seconds from 0 on; not -1",
    ],
    ["- {seconds: 0, resourceUsage: {memory: 1Gi}}", "simSpec: expected a phase that lasts longer than 0 seconds"],
    ["[]", "simSpec: expected at least one phase"],
    ["- {seconds: [", "simSpec: expected YAML"],
  ])("%j is refused", (phases, expected) => {
    expect(refusal(pod(phases), "pods.yaml")).toContain(expected);
  });

  it("a pod without it is refused", () => {
    expect(refusal("kind: Pod\nmetadata: {name: a}", "pods.yaml")).toContain(
      "line 2: metadata.annotations.simSpec: is missing",
    );
  });

  it("what is wrong with one of several does not hide what is wrong with the others", () => {
    const one = (name: string) => `- {kind: Pod, metadata: {name: ${name}}}`;
    expect(refusal(`kind: List\nitems:\n${one("a")}\n${one("b")}`, "pods.yaml").split("\n")).toEqual([
      "pods.yaml, line 3: items[0].metadata.annotations.simSpec: is missing: expected a list of phases, as text",
      "pods.yaml, line 4: items[1].metadata.annotations.simSpec: is missing: expected a list of phases, as text",
    ]);
  });
});
