/** Headroom's agents as the tests look at them: their pods and how much memory they took. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { hierarchyOf } from "../cluster/cgroups.ts";
import { findContainerProcess } from "./faults.ts";
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
  /** Of its memory cgroup. */
  folder: string;
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
  const pod = await agentPod(context, node);
  const pid = await findContainerProcess(context.node(node), pod);
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8");
  const path = groups.match(/^\d+:(?:\S*,)?memory(?:,\S*)?:(\S+)$/m)?.[1];
  assert(path, `the agent on ${node} is in no memory cgroup: ${groups}`);
  const folder = join(hierarchyOf("memory"), path);
  for (const kind of ["memory", "memory.kmem", "memory.kmem.tcp"]) {
    await writeFile(join(folder, `${kind}.max_usage_in_bytes`), "0");
  }
  return { node, pid, folder };
}

/** Sockets' buffers are counted apart; all other kernel memory is part of the whole. */
async function peakOf(context: Context, agent: Watched): Promise<{ node: string; peakMiB: number; kernelMiB: number }> {
  const pid = await findContainerProcess(context.node(agent.node), await agentPod(context, agent.node));
  assertEqual(pid, agent.pid, `the process of the agent on ${agent.node}`);
  const read = async (kind: string): Promise<number> =>
    Math.round(Number(await readFile(join(agent.folder, `${kind}.max_usage_in_bytes`), "utf8")) / MIB);
  const [all, kernel, tcp] = await Promise.all([read("memory"), read("memory.kmem"), read("memory.kmem.tcp")]);
  return { node: agent.node, peakMiB: all + tcp, kernelMiB: kernel + tcp };
}
