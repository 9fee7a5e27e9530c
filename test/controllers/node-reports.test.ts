/** What the controller keeps of the nodes, over a memory API. */
import { expect, test } from "vitest";
import type { NodeFeatures } from "../../src/agent/protocol.ts";
import { DriverError } from "../../src/checkpointing/driver.ts";
import { nodeReportsController } from "../../src/controllers/node-reports/controller.ts";
import { NODE_REPORTS, type NodeReport, parseReport } from "../../src/controllers/node-reports/report.ts";
import type { ControllerContext, Term } from "../../src/kube/controller.ts";
import { CONFIG_MAPS, type Pod } from "../../src/kube/resources.ts";
import { MemoryKube } from "../support/moving-world/memory-kube.ts";
import { FEATURES } from "../support/moving-world/simulated-nodes.ts";

const REF = { namespace: "headroom-system", name: NODE_REPORTS };

function agentOn(nodeName: string): Pod {
  const labels = { "app.kubernetes.io/name": "headroom", "app.kubernetes.io/component": "agent" };
  const metadata = { name: `agent-${nodeName}`, namespace: "headroom-system", labels };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName, containers: [] } };
}

test("the report of each node with an agent is kept, and goes with the agent", async () => {
  const client = new MemoryKube(() => 0);
  let agents = ["n1", "n2", "n3"].map(agentOn);
  const features = async (node: string): Promise<NodeFeatures> => {
    if (node === "n2") throw new DriverError(node, "Unreachable", "no answer", true);
    return { ...FEATURES, kernel: `of ${node}` };
  };
  const context = {
    client,
    clock: { now: () => Date.parse("2026-01-01T00:00:00Z") },
    namespace: "headroom-system",
    stores: { pods: { list: () => [...agents, { ...agentOn("n4"), metadata: { name: "another" } }] } },
  };
  // Nothing else of it is used.
  const known = new Map<string, NodeReport>();
  const { reconcile } = nodeReportsController(context as unknown as ControllerContext, { features }, known);
  const term = { epoch: 1, signal: new AbortController().signal } as Term;
  const reports = () => client.all(CONFIG_MAPS).find(({ metadata }) => metadata.name === REF.name)?.data ?? {};
  expect(await reconcile({ name: "all" }, term)).toEqual({ requeueAfterMs: 10_000 });
  expect([...known.keys()].sort()).toEqual(["n1", "n2", "n3"]);
  expect(Object.keys(reports()).sort()).toEqual(["n1", "n2", "n3"]);
  expect(parseReport(reports().n1)).toMatchObject({ time: "2026-01-01T00:00:00.000Z", features: { kernel: "of n1" } });
  expect(parseReport(reports().n2)).toMatchObject({ silent: "no answer" });
  agents = agents.slice(1);
  await reconcile({ name: "all" }, term);
  expect(Object.keys(reports()).sort()).toEqual(["n2", "n3"]);
  expect([...known.keys()].sort()).toEqual(["n2", "n3"]);
  agents = agents.slice(1);
  expect(await reconcile({ name: "all" }, term)).toEqual({ requeueAfterMs: 60_000 });
});
