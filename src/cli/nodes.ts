/** `headroom nodes`: what each node's agent says of its node, and what is wrong. */
import { type Command, Option } from "commander";
import { AGENT_SELECTOR } from "../checkpointing/trust/agent-sites.ts";
import { readReports } from "../controllers/node-reports/published-reports.ts";
import type { KubeClient } from "../kube/client.ts";
import { NODES, PODS } from "../kube/resources.ts";
import { clusterOf, type KubeFlags } from "./kube-flags.ts";
import { inspectNodes, type NodeView } from "./nodes/inspect.ts";
import { renderNodes } from "./nodes/render.ts";

interface NodesFlags extends KubeFlags {
  output: "table" | "json";
}

/** Where the chart is installed, unless an agent's pod says otherwise. */
const DEFAULT_NAMESPACE = "headroom-system";

export function addNodesCommand(program: Command): void {
  program
    .command("nodes")
    .description("show what each node can do: its agent, versions, self-test, staging, and what is wrong with it")
    .addOption(new Option("-o, --output <format>", "table, or json").choices(["table", "json"]).default("table"))
    .option("-n, --namespace <name>", "where Headroom is installed (default: where its agents are found)")
    .option("--kubeconfig <file>", "kubeconfig file (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig")
    .action(async (flags: NodesFlags) => {
      const { client, transport } = clusterOf(flags);
      try {
        const nodes = await lookAtNodes(client, Date.now(), flags.namespace);
        console.log(flags.output === "json" ? JSON.stringify({ nodes }, null, 2) : renderNodes(nodes));
      } finally {
        await transport.close();
      }
    });
}

export async function lookAtNodes(
  client: Pick<KubeClient, "get" | "list">,
  nowMs: number,
  namespace?: string,
): Promise<NodeView[]> {
  const where = namespace === undefined ? {} : { namespace };
  const [nodes, agents] = await Promise.all([
    client.list(NODES),
    client.list(PODS, { ...where, labelSelector: AGENT_SELECTOR }),
  ]);
  const home = namespace ?? agents.items[0]?.metadata.namespace ?? DEFAULT_NAMESPACE;
  const reports = await readReports(client, home);
  return inspectNodes({
    nodes: nodes.items,
    agents: agents.items,
    namespace: home,
    reportOf: (node) => reports.get(node),
    nowMs,
  });
}
