/** What the demo shows: two nodes, of which one slowly fills up, and the policy that relieves it. */
import { API_VERSION } from "../../api/v1alpha1/group.ts";
import type { JsonObject } from "../api-server/json.ts";
import type { SandboxApiServer } from "../api-server/server.ts";
import type { NodeSpec } from "../nodes/cluster.ts";
import { MEMORY_ANNOTATION } from "../nodes/memory-curve.ts";
import type { Sandbox } from "../sandbox.ts";

const MI = 2 ** 20;

export const DEMO_NODES: NodeSpec[] = [
  { name: "node-a", capacityBytes: 2048 * MI, systemBytes: 120 * MI },
  { name: "node-b", capacityBytes: 2048 * MI, systemBytes: 120 * MI },
];

/** Everything begins on node-a, as after node-b was away for maintenance. */
const LATE_NODE = "node-b";

interface Member {
  name: string;
  kind: "Deployment" | "Job";
  memory: string;
}

/** Together they outgrow one node after some ten seconds, and level off on what two can bear. */
const MEMBERS: readonly Member[] = [
  { name: "simulation", kind: "Deployment", memory: "0s=300Mi, 14s=1000Mi" },
  { name: "training", kind: "Job", memory: "0s=250Mi, 16s=900Mi" },
  { name: "index", kind: "Deployment", memory: "0s=200Mi, 14s=300Mi" },
];

export const POLICY: JsonObject = {
  apiVersion: API_VERSION,
  kind: "MigrationPolicy",
  metadata: { name: "keep-headroom" },
  spec: {
    mode: "Enforce",
    podSelector: { matchLabels: { tier: "batch" } },
    evaluationInterval: "1s",
    metrics: { source: "KubeletSummary", staleAfter: "10s" },
    pressure: { strategy: "Threshold", freeBelow: "20%" },
    eligibility: { minMemory: "100Mi" },
    selection: { strategy: "Max" },
    placement: { strategy: "MostFree", margin: "5%" },
    pacing: { strategy: "Blocking", blocking: { pause: "5s" } },
  },
};

/** `simulation-7c9-x2x` → `simulation`. */
export const memberOf = (pod: string): string => MEMBERS.find(({ name }) => pod.startsWith(name))?.name ?? pod;

export function startWorkload(server: SandboxApiServer): void {
  for (const member of MEMBERS) server.apply(manifest(member));
}

export function workloadRuns({ cluster }: Sandbox): boolean {
  return cluster.witness.running().filter(({ pod }) => pod.startsWith("default/")).length === MEMBERS.length;
}

/** Nothing is placed on the late node until this is undone. */
export function setLateNode(server: SandboxApiServer, away: boolean): void {
  const type = server.types.find("", "v1", "nodes");
  if (!type) return;
  const spec = away ? { unschedulable: true } : {};
  server.registry.patch({ type, namespace: undefined, name: LATE_NODE }, (node) => ({ ...node, spec }));
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
