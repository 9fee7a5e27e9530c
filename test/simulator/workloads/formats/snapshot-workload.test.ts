/** A snapshot is simulated with all that it says of its pods and nodes: what planning on it would leave alone, the simulation does too. */
import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { readCluster } from "../../../../src/simulator/clusters/read-cluster.ts";
import { DEFAULT_CONDITIONS } from "../../../../src/simulator/scenario.ts";
import { writeWorkload } from "../../../../src/simulator/workloads/formats/workload-document.ts";
import { readWorkload } from "../../../../src/simulator/workloads/read-workload.ts";
import { policy, run, type SpecInput, scenario, story } from "../../engine/world.ts";

type Written = Record<string, unknown>;

/** Two pods use 28 of z1's 32 GiB, z2 is empty. */
function snapshot(pod: Written, target: Written = {}, others: Written[] = []): string {
  const nodes = [
    { name: "z1", capacity: "32Gi", labels: { zone: "a" } },
    { name: "z2", capacity: "32Gi", labels: { zone: "b" }, ...target },
  ];
  const pods = ["p", "q"].map((name) => ({ namespace: "default", name, node: "z1", used: "14Gi", ...pod }));
  const head = { apiVersion: "headroom.dev/v1alpha1", kind: "ClusterSnapshot", time: "2026-01-01T00:30:00Z" };
  return dump({ ...head, nodes, pods: [...pods, ...others] });
}

const podsOf = (text: string) => readWorkload(text, { fileName: "snapshot.yaml" });

function moved(text: string, spec: SpecInput = {}): string[] {
  const nodes = readCluster({ name: "snapshot.yaml", text });
  const short = policy({ pressure: { strategy: "Threshold", freeBelow: "20%" }, ...spec });
  const moves = { ...DEFAULT_CONDITIONS.moves, noise: 0, failureRate: 0 };
  const record = run(scenario(nodes, [...podsOf(text)], { endSeconds: 150, conditions: { moves } }), [short]);
  return story(record, ["MoveStarted"]);
}

const affinity = (kinds: Record<string, Written | Written[]>) =>
  Object.fromEntries(
    Object.entries(kinds).map(([kind, required]) => [
      kind,
      { requiredDuringSchedulingIgnoredDuringExecution: required },
    ]),
  );

const nodesIn = (zone: string) => ({
  nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values: [zone] }] }],
});

const besideApp = (app: string) => [{ topologyKey: "zone", labelSelector: { matchLabels: { app } } }];

const spread = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: {} };

describe("a simulated snapshot", () => {
  it("relieves a node of a pod that nothing speaks against", () => {
    expect(moved(snapshot({}))).toEqual(["60 MoveStarted p z1→z2"]);
    expect(moved(snapshot({ owner: "Job", containers: 1 }, { agentReady: true }))).toHaveLength(1);
  });

  it.each<[what: string, pod: Written]>([
    ["of a DaemonSet", { owner: "DaemonSet" }],
    ["of a StatefulSet", { owner: "StatefulSet" }],
    ["of an owner that cannot take a copy", { owner: "Worker" }],
    ["of several containers", { containers: 2 }],
    ["with an obstacle", { obstacle: { reason: "HostPath", message: "it uses the node's files" } }],
    ["bound to its zone", { affinity: affinity({ nodeAffinity: nodesIn("a") }) }],
    ["that stays beside others", { labels: { app: "x" }, affinity: affinity({ podAffinity: besideApp("x") }) }],
  ])("does not move a pod %s", (_, pod) => {
    expect(moved(snapshot(pod))).toEqual([]);
  });

  it.each<[what: string, rules: Written]>([
    ["that it keeps away from", { affinity: affinity({ podAntiAffinity: besideApp("y") }) }],
    ["of those that it is spread among", { topologySpreadConstraints: [spread] }],
  ])("does not move a pod to where there are some %s", (_, rules) => {
    const others = ["r", "s"].map((name) => ({
      namespace: "default",
      name,
      node: "z2",
      used: "1Gi",
      labels: { app: "y" },
    }));
    expect(moved(snapshot(rules))).toHaveLength(1);
    expect(moved(snapshot(rules, {}, others))).toEqual([]);
  });

  it.each<[what: string, target: Written]>([
    ["whose agent is not ready", { agentReady: false }],
    ["that is cordoned", { unschedulable: true }],
    ["that is not ready", { ready: false }],
  ])("moves nothing to a node %s, whatever pods tolerate", (_, target) => {
    expect(moved(snapshot({ tolerations: [{ operator: "Exists" }] }, target))).toEqual([]);
  });

  it("lets a pod move that had only not started when it was recorded: here it runs", () => {
    const starting = { obstacle: { reason: "ContainerNotRunning", message: "container a is not running" } };
    expect(moved(snapshot({ ...starting, phase: "Pending" }))).toHaveLength(1);
  });

  it.each([
    ["unschedulable", true],
    ["ready", false],
  ])("leaves on their node the pods that ran there when it was %s = %s, and puts no other there", (fact, value) => {
    const text = snapshot({ node: "z2" }, { [fact]: value });
    const others = [...podsOf(snapshot({ node: "z1" }))].map((pod) => ({
      ...pod,
      name: `${pod.name}2`,
      arrivalSeconds: 5,
    }));
    const late = others.map(({ node: _, ...pod }) => pod);
    const nodes = readCluster({ name: "snapshot.yaml", text });
    expect(story(run(scenario(nodes, [...podsOf(text), ...late])), ["Scheduled"])).toEqual([
      "0 Scheduled p z2",
      "0 Scheduled q z2",
      "5 Scheduled p2 z1",
      "5 Scheduled q2 z1",
    ]);
  });

  it("is the same one when it is written as a workload", () => {
    const pods = podsOf(
      snapshot({
        owner: "StatefulSet",
        namespaceLabels: { team: "x" },
        terminating: true,
        affinity: affinity({
          nodeAffinity: nodesIn("a"),
          podAffinity: besideApp("x"),
          podAntiAffinity: besideApp("y"),
        }),
        topologySpreadConstraints: [{ ...spread, minDomains: 2 }],
      }),
    );
    expect(pods[0]).toMatchObject({
      ownerKind: "StatefulSet",
      obstacle: { reason: "StatefulSet" },
      namespaceLabels: { team: "x" },
      terminating: true,
      affinity: { podAntiAffinity: [{ topologyKey: "zone" }] },
      topologySpread: [{ minDomains: 2 }],
    });
    expect(readWorkload(writeWorkload(pods), { fileName: "w.yaml" })).toEqual(pods);
  });
});
