/** The pods that are moved: bare, of a Deployment or of a Job, with a NetworkPolicy that selects them by their labels. */
import type { JsonObject } from "../../../src/sandbox/api-server/json.ts";
import { FILES_ANNOTATION, MEMORY_ANNOTATION } from "../../../src/sandbox/nodes/memory-curve.ts";

export type Owner = "none" | "Deployment" | "Job";

export interface Workload {
  owner: Owner;
  /** The usual probe, which forgives 21 s. */
  hasLivenessProbe?: boolean;
  memory?: string;
  files?: string;
}

const PROBE = { httpGet: { path: "/", port: 80 }, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 1 };

export function manifests(workload: Workload, name: string): JsonObject[] {
  const podSelector = { matchLabels: { app: name } };
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: "default" },
    spec: { podSelector, policyTypes: ["Egress"], egress: [] },
  };
  return [policy, owned(workload, name)];
}

function owned({ owner, hasLivenessProbe = true, memory = "48Mi", files = "4Mi" }: Workload, name: string): JsonObject {
  const labels = { app: name };
  const annotations = { [MEMORY_ANNOTATION]: `0s=${memory}`, [FILES_ANNOTATION]: files };
  const main = { name: "main", image: "counter:1", ...(hasLivenessProbe ? { livenessProbe: PROBE } : {}) };
  const spec = {
    terminationGracePeriodSeconds: 1,
    containers: [{ ...main, volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] }],
    volumes: [{ name: "scratch", emptyDir: {} }],
  };
  const own = { name, namespace: "default" };
  const metadata = { labels, annotations };
  if (owner === "none") return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, ...own }, spec };
  if (owner === "Deployment") {
    const deployment = { replicas: 1, selector: { matchLabels: labels }, template: { metadata, spec } };
    return { apiVersion: "apps/v1", kind: "Deployment", metadata: own, spec: deployment };
  }
  const template = { metadata, spec: { ...spec, restartPolicy: "Never" } };
  return { apiVersion: "batch/v1", kind: "Job", metadata: own, spec: { backoffLimit: 0, template } };
}
