/** What `headroom nodes` shows of each node, and what is wrong with it, in sentences that say what to do. Pure. */
import type { Turn } from "../../agent/protocol.ts";
import { readyAgents } from "../../controllers/migration-policy/snapshot-nodes.ts";
import type { NodeReport } from "../../controllers/node-reports/report.ts";
import { turnOf } from "../../controllers/roll-out/candidates.ts";
import type { Node, Pod } from "../../kube/resources.ts";

/** A controller that runs writes every minute. */
const STALE_MS = 300_000;

export interface NodeView {
  name: string;
  /** None: no agent is on it. Waiting, Preparing, Failed: where it is with being prepared. */
  agent: "Ready" | "NotReady" | "None" | "Waiting" | "Preparing" | "Failed";
  report?: NodeReport;
  problems: string[];
}

export interface NodeFacts {
  nodes: readonly Node[];
  /** The agents' pods, in Headroom's `namespace`. */
  agents: readonly Pod[];
  namespace: string;
  reportOf: (node: string) => NodeReport | undefined;
  nowMs: number;
}

export function inspectNodes({ nodes, agents, namespace, reportOf, nowMs }: NodeFacts): NodeView[] {
  const ready = readyAgents(agents, namespace);
  return nodes.map(({ metadata: { name } }) => {
    const pods = agents.filter(({ spec }) => spec.nodeName === name);
    const report = reportOf(name);
    if (pods.length === 0) return view(name, "None", report, [NO_AGENT]);
    const turn = report && turnOf(report, nowMs);
    const agent = (turn && STATES[turn.state]) ?? (ready.has(name) ? "Ready" : "NotReady");
    const problems = [
      ...turnProblems(turn, report, `kubectl -n ${namespace} delete pod ${pods[0]?.metadata.name}`),
      ...agentProblems(agent, pods),
      ...reportProblems(report, nowMs),
    ];
    return view(name, agent, report, problems);
  });
}

const STATES: Record<Turn["state"], NodeView["agent"] | undefined> = {
  none: undefined,
  waiting: "Waiting",
  preparing: "Preparing",
  failed: "Failed",
};

function view(name: string, agent: NodeView["agent"], report: NodeReport | undefined, problems: string[]): NodeView {
  return { name, agent, ...(report === undefined ? {} : { report }), problems };
}

const NO_AGENT =
  "no agent runs on it, so no pod is moved from or to it: see agent.nodeSelector and agent.affinity of the chart, and `kubectl describe daemonset headroom-agent`";

function agentProblems(agent: NodeView["agent"], pods: readonly Pod[]): string[] {
  if (agent !== "NotReady") return [];
  const [pod] = pods;
  const state = pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? pod?.status?.phase ?? "not started";
  return [`its agent is not ready (${state}): see \`kubectl logs ${pod?.metadata.name}\``];
}

/** @param retry the command after which its preparation is tried again. */
function turnProblems(turn: Turn | undefined, report: NodeReport | undefined, retry: string): string[] {
  switch (turn?.state) {
    case "waiting":
      return [`waits for its turn to be prepared for moves: ${report?.waits ?? "it comes next"}`];
    case "preparing":
      return ["is being prepared for moves: containerd is restarted, then the self-test runs"];
    case "failed":
      return [
        `could not be prepared for moves, so no other node gets its turn: ${turn.message}. When the cause is removed: \`${retry}\``,
      ];
    default:
      return [];
  }
}

function reportProblems(report: NodeReport | undefined, nowMs: number): string[] {
  if (report === undefined) return ["nothing is known of it yet: the controller asks every minute; does one run?"];
  const staleMs = nowMs - Date.parse(report.time);
  const stale = staleMs > STALE_MS ? [`this was ${Math.round(staleMs / 60_000)} min ago: does a controller run?`] : [];
  const { silent, features } = report;
  if (silent !== undefined) return [...stale, `its agent does not answer the controller: ${silent}`];
  const handler =
    features === undefined || features.handlerInstalled || features.turn.state !== "none"
      ? []
      : [`pods cannot be moved to it: ${features.handlerMessage ?? "the runtime handler is not installed"}`];
  const verdicts = (features?.verdicts ?? []).filter(({ ok }) => !ok);
  return [...stale, ...handler, ...verdicts.map(({ kind, message }) => `${FAILED[kind]}: ${message}`)];
}

const FAILED: Record<string, string> = {
  root: "containers that run as root cannot be moved",
  user: "containers that run as another user than root cannot be moved",
  seccomp: "containers under seccomp cannot be moved",
  apparmor: "containers under AppArmor cannot be moved",
  lazyPages: "memory cannot be filled while a container runs, so freezes are longer",
};
