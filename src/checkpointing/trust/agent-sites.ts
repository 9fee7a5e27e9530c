/** Where the agents are: by their pods, in Headroom's own namespace. Pure. */
import type { AgentAddress } from "../../agent/agent-client.ts";
import { AGENT_PORT } from "../../agent/protocol.ts";
import type { Pod } from "../../kube/resources.ts";

const AGENT_LABELS = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
export const AGENT_SELECTOR = Object.entries(AGENT_LABELS)
  .map(([key, value]) => `${key}=${value}`)
  .join(",");

/** Checks only the labels. The caller passes only pods of Headroom's namespace, where other users may not create pods. */
export function isAgentPod({ metadata }: Pod): boolean {
  return Object.entries(AGENT_LABELS).every(([key, value]) => metadata.labels?.[key] === value);
}

export const AGENT_DAEMON_SET = "headroom-agent";

export interface AgentSite extends AgentAddress {
  podName: string;
  podUID: string;
}

/** Running agents, at most one per node: a terminating pod only where there is no other. */
export function agentSites(pods: readonly Pod[]): AgentSite[] {
  const sites = new Map<string, AgentSite>();
  const ordered = [...pods].sort((a, b) => Number(isTerminating(a)) - Number(isTerminating(b)));
  for (const pod of ordered) {
    const site = siteOf(pod);
    if (site && !sites.has(site.node)) sites.set(site.node, site);
  }
  return [...sites.values()];
}

function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

function siteOf(pod: Pod): AgentSite | undefined {
  const { metadata, spec, status } = pod;
  if (!isAgentPod(pod) || !spec.nodeName || !status?.hostIP || !metadata.uid || status.phase !== "Running")
    return undefined;
  const ports = spec.containers.flatMap((container) => container.ports ?? []);
  const port = ports.find(({ name }) => name === "agent")?.containerPort ?? AGENT_PORT;
  return { node: spec.nodeName, address: status.hostIP, port, podName: metadata.name, podUID: metadata.uid };
}

/** Is the pod one of the agents' DaemonSet's? */
export function isOfDaemonSet(pod: Pod): boolean {
  const owners = pod.metadata.ownerReferences ?? [];
  return owners.some(
    ({ kind, name, controller }) => kind === "DaemonSet" && name === AGENT_DAEMON_SET && controller === true,
  );
}
