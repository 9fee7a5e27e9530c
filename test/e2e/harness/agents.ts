/** Headroom's agents as the tests look at them: their pods and how much memory they took. */
import type { V1Pod } from "@kubernetes/client-node";
import { containerProcess } from "./faults.ts";
import { headroomPods } from "./headroom.ts";
import { assert, assertEqual, type Context } from "./scenario.ts";

const MIB = 2 ** 20;
/** No agent may ever take more, of the 256 MiB that it is given. */
const AGENT_PEAK_MIB = 200;

export async function agentPod({ api }: Context, node: string): Promise<V1Pod> {
  const found = (await headroomPods(api, "agent")).find((pod) => pod.spec?.nodeName === node);
  assert(found, `there is no agent on ${node}`);
  return found;
}

interface Watched {
  node: string;
  pid: number;
  /** Of its memory cgroup, in the node. */
  folder: string;
  restarts: number;
}

/** From now on the peaks of the agents' memory are measured; the answer fails when one was too high or an agent has ended, and notes them. */
export async function watchAgents(context: Context, nodes: readonly string[]): Promise<() => Promise<void>> {
  const agents = await Promise.all(nodes.map((node) => watchAgent(context, node)));
  return async () => {
    const peaks = await Promise.all(agents.map((agent) => peakOf(context, agent)));
    const shown = peaks
      .map(({ node, peakMiB, kernelMiB }) => `${node} ${peakMiB} MiB (kernel ${kernelMiB})`)
      .join(", ");
    context.note(`agents' peaks: ${shown}`);
    const high = peaks.filter(({ peakMiB }) => peakMiB >= AGENT_PEAK_MIB);
    assert(high.length === 0, `an agent took ${AGENT_PEAK_MIB} MiB or more: ${shown}`);
  };
}

async function watchAgent(context: Context, node: string): Promise<Watched> {
  const machine = context.node(node);
  const pod = await agentPod(context, node);
  const pid = await containerProcess(machine, pod);
  const groups = await machine.run(["cat", `/proc/${pid}/cgroup`]);
  const path = groups.match(/^\d+:(?:\S*,)?memory(?:,\S*)?:(\S+)$/m)?.[1];
  assert(path, `the agent on ${node} is in no memory cgroup: ${groups}`);
  const folder = `/sys/fs/cgroup/memory${path}`;
  for (const kind of ["memory", "memory.kmem", "memory.kmem.tcp"]) {
    await machine.run(["sh", "-c", `echo 0 > ${folder}/${kind}.max_usage_in_bytes`]);
  }
  return { node, pid, folder, restarts: restartsOf(pod) };
}

function restartsOf(pod: V1Pod): number {
  return pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
}

/** Sockets' buffers are counted apart; all other kernel memory is part of the whole. */
async function peakOf(context: Context, agent: Watched): Promise<{ node: string; peakMiB: number; kernelMiB: number }> {
  const machine = context.node(agent.node);
  assertEqual(
    restartsOf(await agentPod(context, agent.node)),
    agent.restarts,
    `the restarts of the agent on ${agent.node}`,
  );
  const read = async (kind: string): Promise<number> =>
    Math.round(Number(await machine.run(["cat", `${agent.folder}/${kind}.max_usage_in_bytes`])) / MIB);
  const [all, kernel, tcp] = await Promise.all([read("memory"), read("memory.kmem"), read("memory.kmem.tcp")]);
  return { node: agent.node, peakMiB: all + tcp, kernelMiB: kernel + tcp };
}
