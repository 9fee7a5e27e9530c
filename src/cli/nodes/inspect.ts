/** What `headroom nodes` shows of each node, and what is wrong with it, in sentences that say what to do. Pure. */
import { agentProblems } from "../../controllers/node-reports/agent-problem.ts";
import type { NodeReport } from "../../controllers/node-reports/report.ts";
import type { Node, Pod } from "../../kube/resources.ts";

/** A controller that runs writes every minute. */
const STALE_MS = 300_000;

export interface NodeView {
  name: string;
  /** Ready, NotReady, or None: no agent is on it. */
  agent: "Ready" | "NotReady" | "None";
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
  const names = nodes.map(({ metadata }) => metadata.name);
  const found = agentProblems(names, { pods: agents, namespace, reportOf });
  return names.map((name) => {
    const problem = found.get(name);
    const agent = problem?.reason === "NoAgent" ? "None" : problem?.reason === "AgentNotReady" ? "NotReady" : "Ready";
    const report = reportOf(name);
    const wrong = problem === undefined ? [] : [problem.message];
    const problems = agent === "None" ? wrong : [...wrong, ...reportProblems(report, nowMs)];
    return { name, agent, ...(report === undefined ? {} : { report }), problems };
  });
}

function reportProblems(report: NodeReport | undefined, nowMs: number): string[] {
  if (report === undefined) return ["nothing is known of it yet: the controller asks every minute; does one run?"];
  const staleMs = nowMs - Date.parse(report.time);
  const stale = staleMs > STALE_MS ? [`this was ${Math.round(staleMs / 60_000)} min ago: does a controller run?`] : [];
  const verdicts = (report.features?.verdicts ?? []).filter(({ ok }) => !ok);
  return [...stale, ...verdicts.map(({ kind, message }) => `${FAILED[kind]}: ${message}`)];
}

const FAILED: Record<string, string> = {
  root: "containers that run as root cannot be moved",
  user: "containers that run as another user than root cannot be moved",
  seccomp: "containers under seccomp cannot be moved",
  apparmor: "containers under AppArmor cannot be moved",
  lazyPages: "memory cannot be filled while a container runs, so freezes are longer",
};
