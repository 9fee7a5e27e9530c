/** `headroom nodes`: what it says of each state of a node. */
import { describe, expect, test } from "vitest";
import type { NodeFeatures, Turn } from "../../src/agent/protocol.ts";
import { inspectNodes, type NodeFacts } from "../../src/cli/nodes/inspect.ts";
import { renderNodes } from "../../src/cli/nodes/render.ts";
import { type NodeReport, parseReport, reportText } from "../../src/controllers/node-reports/report.ts";
import type { Node, Pod } from "../../src/kube/resources.ts";
import { FEATURES } from "../support/moving-world/simulated-nodes.ts";

const NOW_MS = Date.parse("2026-01-01T00:10:00Z");
const status = { nodeInfo: { kubeletVersion: "v1.35.0", architecture: "amd64" } };
// The other fields of its information are not read.
const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name }, status }) as Node;

function agentOn(nodeName: string, ready = true): Pod {
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  const containers = [{ name: "agent" }];
  const labels = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
  const metadata = { name: `agent-${nodeName}`, namespace: "headroom-system", labels };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { nodeName, containers },
    status: { phase: "Running", conditions },
  };
}

const report = (features: Partial<NodeFeatures> = {}, more: Partial<NodeReport> = {}): NodeReport => ({
  time: "2026-01-01T00:09:30Z",
  features: { ...FEATURES, ...features },
  ...more,
});

function view(part: Partial<NodeFacts> & { report?: NodeReport | undefined }) {
  const namespace = "headroom-system";
  const facts = {
    nodes: [node("n1")],
    agents: [agentOn("n1")],
    namespace,
    reportOf: () => part.report,
    nowMs: NOW_MS,
    ...part,
  };
  const [one] = inspectNodes(facts);
  if (one === undefined) throw new Error("no node");
  return one;
}

const VERDICTS = [
  { kind: "root" as const, ok: true, ms: 1 },
  { kind: "user" as const, ok: false, ms: 1, message: "it could not be dumped: no right" },
];

const turn = (of: Turn): Partial<NodeFeatures> => ({ handlerInstalled: false, handlerMessage: "add it", turn: of });

describe("a node", () => {
  test.each<[string, Parameters<typeof view>[0], RegExp[]]>([
    ["in order", { report: report() }, []],
    ["without an agent", { agents: [], report: report() }, [/^no agent runs on it.*agent\.nodeSelector/]],
    ["whose agent isn't ready", { agents: [agentOn("n1", false)], report: report() }, [/kubectl logs agent-n1/]],
    ["that nobody has reported on", {}, [/does one run\?/]],
    ["whose report is old", { report: report({}, { time: "2026-01-01T00:00:00Z" }) }, [/^this was 10 min ago/]],
    ["whose certificate holds for weeks", { report: report({ certificateEnds: "2026-01-15T00:00:00Z" }) }, []],
    [
      "whose certificate was not renewed",
      { report: report({ certificateEnds: "2026-01-03T00:00:00Z" }) },
      [/^its certificate ends at 2026-01-03T00:00:00Z and was not renewed: does a controller run\?$/],
    ],
    [
      "whose agent is silent",
      { report: { time: report().time, silent: "no answer" } },
      [/does not answer.*: no answer$/],
    ],
    [
      "without the handler",
      { report: report({ handlerInstalled: false, handlerMessage: "add it" }) },
      [/^pods cannot be moved to it: add it$/],
    ],
    [
      "that waits for its turn",
      { agents: [agentOn("n1", false)], report: report(turn({ state: "waiting" }), { waits: "node n0 is the first" }) },
      [/^waits for its turn to be prepared for moves: node n0 is the first$/],
    ],
    [
      "that is being prepared",
      { agents: [agentOn("n1", false)], report: report(turn({ state: "preparing" })) },
      [/^is being prepared/],
    ],
    [
      "that could not be prepared",
      { report: report(turn({ state: "failed", message: "no right" })) },
      [/no other node gets its turn: no right\. .*`kubectl -n headroom-system delete pod agent-n1`$/],
    ],
    [
      "that failed a part of its self-test",
      { report: report({ verdicts: VERDICTS }) },
      [/^containers that run as another user than root cannot be moved: it could not be dumped: no right$/],
    ],
  ])("%s", (_what, facts, problems) => {
    const found = view(facts).problems;
    expect(found).toHaveLength(problems.length);
    for (const [index, problem] of problems.entries()) expect(found[index]).toMatch(problem);
  });

  test.each([
    ["waiting", "Waiting"],
    ["preparing", "Preparing"],
    ["failed", "Failed"],
    ["none", "Ready"],
  ] as const)("whose turn is %s is %s", (state, agent) => {
    expect(view({ report: report(turn({ state, message: "why" })) }).agent).toBe(agent);
  });

  test("is a row, and each of its problems a line below", () => {
    const told = { verdicts: VERDICTS, cgroupDriver: "systemd", certificateEnds: "2026-01-15T00:00:00Z" } as const;
    const nodes = [view({ report: report(told) }), view({ nodes: [node("n2")], agents: [] })];
    const lines = renderNodes(nodes).split("\n");
    expect(lines[1]).toMatch(
      /^n1 +Ready +v1\.35\.0 +amd64 +6\.12 +v2 systemd +\S+ +1\.7\.24 +1\.3 +4\.1 +failed: user +\S+ of \S+ +until 2026-01-15$/,
    );
    expect(lines[2]).toMatch(/^n2 +None +v1\.35\.0 +amd64 +-/);
    expect(lines.slice(4).map((line) => line.slice(0, 3))).toEqual(["n1:", "n2:"]);
  });
});

describe("a report", () => {
  test("comes back as it was written, without the flags of the CPU and with messages cut short", () => {
    const long = report({ handlerMessage: "x".repeat(1000) });
    const read = parseReport(reportText(long));
    expect(read?.features).toMatchObject({ kernel: "6.12", handlerMessage: "x".repeat(300) });
    expect(read?.features).not.toHaveProperty("cpuFlags");
  });

  test.each([undefined, "", "{", "[]"])("that is %j is none", (text) => {
    expect(parseReport(text)).toBeUndefined();
  });
});
