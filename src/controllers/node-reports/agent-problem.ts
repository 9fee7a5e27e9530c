/** Why pods of a node, or to it, cannot be moved, as far as its agent is concerned. Pure. */
import type { Pod } from "../../kube/resources.ts";
import { readyAgents } from "../migration-policy/snapshot-nodes.ts";
import { turnOf } from "../roll-out/candidates.ts";
import type { NodeReport } from "./report.ts";

export interface AgentProblem {
  reason: "NoAgent" | "NotPrepared" | "AgentNotReady" | "AgentSilent" | "HandlerNotInstalled";
  /** What is wrong and what to do. */
  message: string;
}

export interface Agents {
  /** The agents' pods, in Headroom's `namespace`. */
  pods: readonly Pod[];
  namespace: string;
  reportOf: (node: string) => NodeReport | undefined;
  nowMs: number;
}

/** Of each of these nodes that has a problem. */
export function agentProblems(
  nodes: readonly string[],
  { pods, namespace, reportOf, nowMs }: Agents,
): Map<string, AgentProblem> {
  const ready = readyAgents(pods, namespace);
  const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? "");
  return new Map(
    nodes.flatMap((node) => {
      const [pod] = byNode.get(node) ?? [];
      const report = reportOf(node);
      const problem =
        pod === undefined
          ? NO_AGENT
          : (turnProblem(pod, report, nowMs) ?? podProblem(pod, ready.has(node)) ?? reportProblem(report));
      return problem === undefined ? [] : [[node, problem] as const];
    }),
  );
}

const NO_AGENT: AgentProblem = {
  reason: "NoAgent",
  message:
    "no agent runs on it, so no pod is moved from or to it: see agent.nodeSelector and agent.affinity of the chart, and `kubectl describe daemonset headroom-agent`",
};

function turnProblem({ metadata }: Pod, report: NodeReport | undefined, nowMs: number): AgentProblem | undefined {
  const turn = report && turnOf(report, nowMs);
  const problem = (message: string): AgentProblem => ({ reason: "NotPrepared", message });
  switch (turn?.state) {
    case "waiting":
      return problem(`waits for its turn to be prepared for moves: ${report?.waits ?? "it comes next"}`);
    case "preparing":
      return problem("is being prepared for moves: containerd is restarted, then the self-test runs");
    case "failed": {
      const retry = `kubectl -n ${metadata.namespace} delete pod ${metadata.name}`;
      return problem(
        `could not be prepared for moves, so no other node gets its turn: ${turn.message}. When the cause is removed: \`${retry}\``,
      );
    }
    default:
      return undefined;
  }
}

function podProblem(pod: Pod, ready: boolean): AgentProblem | undefined {
  if (ready) return undefined;
  const waits = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
  const state = pod.metadata.deletionTimestamp ? "Terminating" : (waits ?? pod.status?.phase ?? "not started");
  const message = `its agent is not ready (${state}): see \`kubectl logs ${pod.metadata.name}\``;
  return { reason: "AgentNotReady", message };
}

function reportProblem({ silent, features }: Partial<NodeReport> = {}): AgentProblem | undefined {
  if (silent !== undefined) {
    return { reason: "AgentSilent", message: `its agent does not answer the controller: ${silent}` };
  }
  if (features === undefined || features.handlerInstalled) return undefined;
  const why = features.handlerMessage ?? "the runtime handler is not installed";
  return { reason: "HandlerNotInstalled", message: `pods cannot be moved to it: ${why}` };
}
