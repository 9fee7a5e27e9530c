/** Why pods of a node, or to it, cannot be moved, as far as its agent is concerned. Pure. */
import type { Pod } from "../../kube/resources.ts";
import { readyAgents } from "../migration-policy/snapshot-nodes.ts";
import type { NodeReport } from "./report.ts";

export interface AgentProblem {
  reason: "NoAgent" | "AgentNotReady" | "AgentSilent" | "HandlerNotInstalled";
  /** What is wrong and what to do. */
  message: string;
}

export interface Agents {
  /** The agents' pods, in Headroom's `namespace`. */
  pods: readonly Pod[];
  namespace: string;
  reportOf: (node: string) => NodeReport | undefined;
}

/** Of each of these nodes that has a problem. */
export function agentProblems(
  nodes: readonly string[],
  { pods, namespace, reportOf }: Agents,
): Map<string, AgentProblem> {
  const ready = readyAgents(pods, namespace);
  const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? "");
  return new Map(
    nodes.flatMap((node) => {
      const problem = podProblem(byNode.get(node) ?? [], ready.has(node)) ?? reportProblem(reportOf(node));
      return problem === undefined ? [] : [[node, problem] as const];
    }),
  );
}

function podProblem([pod]: readonly Pod[], ready: boolean): AgentProblem | undefined {
  if (pod === undefined) return { reason: "NoAgent", message: NO_AGENT };
  if (ready) return undefined;
  const waits = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  const state = pod.metadata.deletionTimestamp ? "Terminating" : (waits ?? pod.status?.phase ?? "not started");
  const message = `its agent is not ready (${state}): see \`kubectl logs ${pod.metadata.name}\``;
  return { reason: "AgentNotReady", message };
}

const NO_AGENT =
  "no agent runs on it, so no pod is moved from or to it: see agent.nodeSelector and agent.affinity of the chart, and `kubectl describe daemonset headroom-agent`";

function reportProblem({ silent, features }: Partial<NodeReport> = {}): AgentProblem | undefined {
  if (silent !== undefined) {
    return { reason: "AgentSilent", message: `its agent does not answer the controller: ${silent}` };
  }
  if (features === undefined || features.handlerInstalled) return undefined;
  const why = features.handlerMessage ?? "the runtime handler is not installed";
  return { reason: "HandlerNotInstalled", message: `pods cannot be moved to it: ${why}` };
}
