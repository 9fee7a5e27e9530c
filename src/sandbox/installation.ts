/** What `helm install` puts into a cluster, as far as the sandbox needs it: CRDs, namespace, RuntimeClass, DaemonSet. */
import { readdirSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { RUNTIME_CLASS } from "../api/v1alpha1/group.ts";
import { isManifest } from "./api-server/custom-resources.ts";
import type { ApiObject, Json } from "./api-server/json.ts";
import type { SandboxApiServer } from "./api-server/server.ts";
import { MEMORY_ANNOTATION } from "./nodes/memory-curve.ts";

export const HEADROOM_NAMESPACE = "headroom-system";
/** By these the controller finds the agents. */
export const AGENT_LABELS = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };

const CRDS = new URL("../../crds/", import.meta.url);

export function installHeadroom(server: SandboxApiServer): void {
  for (const crd of crdManifests()) server.apply(crd);
  server.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: HEADROOM_NAMESPACE } });
  server.apply({
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: RUNTIME_CLASS },
    handler: RUNTIME_CLASS,
  });
  const account = { name: "headroom-agent", namespace: HEADROOM_NAMESPACE };
  server.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: account });
  server.apply(agentDaemonSet());
}

function crdManifests() {
  const files = readdirSync(CRDS).filter((file) => file.endsWith(".yaml"));
  // YAML of these files holds nothing that JSON can't.
  const parsed = files.map((file) => load(readFileSync(new URL(file, CRDS), "utf8")) as Json);
  return parsed.filter(isManifest);
}

const agentDaemonSet = () => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "headroom-agent", namespace: HEADROOM_NAMESPACE, labels: AGENT_LABELS },
  spec: { selector: { matchLabels: AGENT_LABELS }, template: { metadata: { labels: AGENT_LABELS } } },
});

export interface AgentPodOptions {
  /** Where its agent listens. */
  port: number;
  /** Bytes that all moves together may stage on its node. */
  stagingBudgetBytes: number;
}

/** The DaemonSet's pod on one node. */
export function agentPod(
  server: SandboxApiServer,
  node: string,
  { port, stagingBudgetBytes }: AgentPodOptions,
): ApiObject {
  const daemonSet = server.store.get("daemonsets.apps", HEADROOM_NAMESPACE, "headroom-agent");
  const { name = "", uid = "" } = daemonSet?.metadata ?? {};
  const metadata = {
    name: `headroom-agent-${node}`,
    namespace: HEADROOM_NAMESPACE,
    labels: AGENT_LABELS,
    annotations: { [MEMORY_ANNOTATION]: "0s=20Mi" },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name, uid, controller: true }],
  };
  const spec = {
    nodeName: node,
    hostNetwork: true,
    serviceAccountName: "headroom-agent",
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    tolerations: [{ operator: "Exists" }],
    containers: [
      {
        name: "agent",
        image: "headroom:sandbox",
        env: [{ name: "STAGING_BUDGET", value: `${stagingBudgetBytes / 1024}Ki` }],
        ports: [{ name: "agent", containerPort: port, hostPort: port }],
      },
    ],
  };
  return server.apply({ apiVersion: "v1", kind: "Pod", metadata, spec });
}
