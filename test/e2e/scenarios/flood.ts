/** (flood) Thousands of idle connections to the agents' port, while a pod moves. */
import { watchAgents } from "../harness/agents.ts";
import { startFlood } from "../harness/flood.ts";
import { describeMove, moveReaches, requestMove } from "../harness/moves.ts";
import { startPod } from "../harness/pods.ts";
import { type Context, ROOMY_NODES_MIB, type Scenario } from "../harness/scenario.ts";
import { assertOneLife } from "../harness/witness.ts";

const CONNECTIONS = 20_000;
const AGENT_PORT = 9808;

async function movesDuringFlood(context: Context): Promise<void> {
  const { api, cluster, namespace, witness } = context;
  const name = context.workload("flooded");
  await startPod(context, { name, startMiB: 128, node: "n1", counters: ["/data/count"] });
  const assertAgents = await watchAgents(context, ["n1", "n2"]);
  const targets = ["n1", "n2"].map((node) => ({ address: context.node(node).node.address, port: AGENT_PORT }));
  const flood = await startFlood(cluster.settings, targets, CONNECTIONS);
  try {
    context.note(await flood.full(60));
    await requestMove(api, namespace, { name: "move", podName: name, targetNode: "n2" });
    const done = await moveReaches(api, namespace, "move", ["Succeeded"]);
    assertOneLife(name, await witness.hears(name, 200));
    context.note(await describeMove(witness, name, done));
    context.note(`at the end: ${flood.state()}`);
  } finally {
    await flood.stop();
  }
  await assertAgents();
}

export const flood: Scenario = {
  id: "flood",
  title: "idle connections to the agents' port",
  nodeMemoryMiB: ROOMY_NODES_MIB,
  headroom: {},
  tests: [
    { name: `a pod moves during ${CONNECTIONS} idle connections to each of its nodes' agents`, run: movesDuringFlood },
  ],
};
