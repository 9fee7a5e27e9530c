/** What a demo shows: nodes, pods whose memory grows on them, and the policy that relieves them. */
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import type { JsonObject } from "../api-server/json.ts";
import type { SandboxApiServer } from "../api-server/server.ts";
import type { NodeSpec } from "../nodes/cluster.ts";
import { MEMORY_ANNOTATION } from "../nodes/memory-curve.ts";
import type { Sandbox } from "../sandbox.ts";

const MI = 2 ** 20;

export interface Member {
  name: string;
  kind: "Deployment" | "Job";
  /** Over its own work. */
  memory: string;
  /** Where it begins. */
  node: string;
}

export interface Scene {
  nodes: NodeSpec[];
  /** Those of one node side by side. */
  members: readonly Member[];
  policy: JsonObject;
  /** At this part of a node's memory a policy with Threshold and usual limits would act: it is told. Absent: it is not. */
  markAbove?: number;
  lengthMs: number;
}

const node = (name: string): NodeSpec => ({ name, capacityBytes: 2048 * MI, systemBytes: 120 * MI });

function policy(pressure: JsonObject): JsonObject {
  return {
    apiVersion: API_VERSION,
    kind: "MigrationPolicy",
    metadata: { name: POLICY_NAME },
    spec: {
      mode: "Enforce",
      podSelector: { matchLabels: { tier: "batch" } },
      evaluationInterval: "1s",
      metrics: { source: "KubeletSummary", staleAfter: "10s" },
      pressure,
      eligibility: { minMemory: "100Mi" },
      selection: { strategy: "Max" },
      placement: { strategy: "MostFree", margin: "5%" },
      pacing: { strategy: "Blocking", blocking: { pause: "5s" } },
    },
  };
}

export const POLICY_NAME = "keep-headroom";

/**
 * Everything begins on node-a, as after node-b was away for maintenance. Together the pods outgrow one node after some ten seconds, and
 * level off on what two can bear.
 */
export const THRESHOLD_SCENE: Scene = {
  nodes: [node("node-a"), node("node-b")],
  members: [
    { name: "simulation", kind: "Deployment", memory: "0s=300Mi, 14s=1000Mi", node: "node-a" },
    { name: "training", kind: "Job", memory: "0s=250Mi, 16s=900Mi", node: "node-a" },
    { name: "index", kind: "Deployment", memory: "0s=200Mi, 14s=300Mi", node: "node-a" },
  ],
  policy: policy({ strategy: "Threshold", freeBelow: "20%" }),
  lengthMs: 22_000,
};

/** One pod grows beyond its node, another until its node is quite full, and no further. */
export const FORECAST_SCENE: Scene = {
  nodes: [node("node-a"), node("node-b"), node("node-c")],
  members: [
    { name: "training", kind: "Job", memory: "0s=450Mi, 90s=1350Mi", node: "node-a" },
    { name: "index", kind: "Deployment", memory: "0s=500Mi", node: "node-a" },
    { name: "cache", kind: "Deployment", memory: "0s=1500Mi, 30s=1570Mi", node: "node-b" },
  ],
  policy: policy({ strategy: "Forecast", freeBelow: "5%", forecast: { horizon: "1m" } }),
  markAbove: 0.8,
  lengthMs: 62_000,
};

const NAMES = [THRESHOLD_SCENE, FORECAST_SCENE].flatMap(({ members }) => members.map(({ name }) => name));

/** `simulation-7c9-x2x` → `simulation`. */
export const memberOf = (pod: string): string => NAMES.find((name) => pod.startsWith(name)) ?? pod;

export function startMembers(server: SandboxApiServer, members: readonly Member[]): void {
  for (const member of members) server.apply(manifest(member));
}

/** So many pods of the scene run. */
export function membersRunning({ cluster }: Sandbox): number {
  return cluster.witness.running().filter(({ pod }) => pod.startsWith("default/")).length;
}

/** Nothing is placed on other nodes until this is undone; undefined: on any node. */
export function placeOnlyOn(server: SandboxApiServer, { nodes }: Scene, only: string | undefined): void {
  const type = server.types.find("", "v1", "nodes");
  if (!type) return;
  for (const { name } of nodes) {
    const spec = only === undefined || name === only ? {} : { unschedulable: true };
    server.registry.patch({ type, namespace: undefined, name }, (found) => ({ ...found, spec }));
  }
}

function manifest({ name, kind, memory }: Member): JsonObject {
  const labels = { app: name, tier: "batch" };
  const container = { name: "main", image: `registry.example/${name}:1`, resources: { requests: { memory: "200Mi" } } };
  const template = {
    metadata: { labels, annotations: { [MEMORY_ANNOTATION]: memory } },
    spec: { terminationGracePeriodSeconds: 5, containers: [container] },
  };
  if (kind === "Deployment") {
    const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template };
    return { apiVersion: "apps/v1", kind, metadata: { name, namespace: "default" }, spec };
  }
  const spec = { backoffLimit: 6, template: { ...template, spec: { ...template.spec, restartPolicy: "OnFailure" } } };
  return { apiVersion: "batch/v1", kind, metadata: { name, namespace: "default" }, spec };
}
