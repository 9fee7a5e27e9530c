/** What `headroom nodes` shows of each node, and what is wrong with it, in sentences that say what to do. Pure. */
import type { Turn } from "../../agent/protocol.ts";
import { type AgentProblem, agentProblems } from "../../controllers/node-reports/agent-problem.ts";
import type { NodeReport } from "../../controllers/node-reports/report.ts";
import { turnOf } from "../../controllers/roll-out/candidates.ts";
import type { Node, Pod } from "../../kube/resources.ts";
import { KINDS_IN_WORDS } from "../../planning/self-test.ts";

/** A controller that runs writes every minute. */
const STALE_MS = 300_000;

/** Certificates of 30 days are renewed when 10 are left. */
const RENEWED_BEFORE_MS = 5 * 86_400_000;

export interface NodeView {
  name: string;
  /** None: no agent is on it. Waiting, Preparing, Failed: where it is with being prepared. */
  agent: "Ready" | "NotReady" | "None" | "Waiting" | "Preparing" | "Failed";
  /** The kubelet's version; undefined: it has not told. */
  kubernetes?: string;
  /** Such as amd64. */
  architecture?: string;
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
  const found = agentProblems(names, { pods: agents, namespace, reportOf, nowMs });
  return nodes.map(({ metadata: { name }, status }) => {
    const problem = found.get(name);
    const report = reportOf(name);
    const agent = stateOf(problem, report, nowMs);
    const wrong = problem === undefined ? [] : [problem.message];
    const problems = agent === "None" ? wrong : [...wrong, ...reportProblems(report, nowMs)];
    const { kubeletVersion: kubernetes, architecture } = status?.nodeInfo ?? {};
    const told = {
      ...(kubernetes && { kubernetes }),
      ...(architecture && { architecture }),
      ...(report && { report }),
    };
    return { name, agent, ...told, problems };
  });
}

const TURNS: Record<Turn["state"], NodeView["agent"]> = {
  none: "Ready",
  waiting: "Waiting",
  preparing: "Preparing",
  failed: "Failed",
};

function stateOf(problem: AgentProblem | undefined, report: NodeReport | undefined, nowMs: number): NodeView["agent"] {
  if (problem?.reason === "NoAgent") return "None";
  if (problem?.reason === "AgentNotReady") return "NotReady";
  return TURNS[(report && turnOf(report, nowMs))?.state ?? "none"];
}

function reportProblems(report: NodeReport | undefined, nowMs: number): string[] {
  if (report === undefined) return ["nothing is known of it yet: the controller asks every minute; does one run?"];
  const staleMs = nowMs - Date.parse(report.time);
  const stale = staleMs > STALE_MS ? [`this was ${Math.round(staleMs / 60_000)} min ago: does a controller run?`] : [];
  const ends = report.features?.certificateEnds;
  const due = ends !== undefined && Date.parse(ends) - nowMs < RENEWED_BEFORE_MS;
  const certificate = due ? [`its certificate ends at ${ends} and was not renewed: does a controller run?`] : [];
  const verdicts = (report.features?.verdicts ?? []).filter(({ ok }) => !ok);
  return [
    ...stale,
    ...certificate,
    ...verdicts.map(({ kind, message }) => `${KINDS_IN_WORDS[kind] ?? kind} cannot be moved: ${message}`),
  ];
}
