/** Moves that a policy asks for. */
import { waitFor } from "../cluster/wait.ts";
import { policiesPath } from "../harness/api.ts";
import { nodeMemory } from "../harness/node-memory.ts";
import { createPolicy } from "../harness/policies.ts";
import type { Placed, Scene } from "./scene.ts";

/** Until the first figures of a pod have come, and the policy has looked. */
const POLICY_ASKS_WITHIN_SECONDS = 40;

/**
 * A policy for this workload alone, to which only its node is short of memory. It is deleted when it has asked for a move; undefined when it has
 * not, because no other node is freer, or its figures have not come.
 */
export async function policyAsks(
  scene: Scene,
  { name, namespace }: Placed,
  node: string,
): Promise<{ move: string; target: string } | undefined> {
  const { api, moves, timeline } = scene;
  const free = await freeShares(scene).catch(() => new Map<string, number>()); // a node that is down says nothing
  const here = free.get(node) ?? 0;
  const limit = Math.floor((100 * (here + Math.max(...free.values()))) / 2);
  if (limit <= Math.ceil(100 * here)) return undefined;
  await createPolicy(api, name, {
    mode: "Enforce",
    podSelector: { matchLabels: { app: name } },
    evaluationInterval: "2s",
    eligibility: { cooldown: "0s", minMemory: "1Mi" },
    pressure: { strategy: "Threshold", freeBelow: `${limit}%` },
    placement: { strategy: "MostFree", margin: "0%", noReturnFor: "0s" },
  });
  const asked = await waitFor(`policy ${name} to ask for a move`, POLICY_ASKS_WITHIN_SECONDS, () => {
    const found = moves.all().find(({ latest }) => latest.metadata.namespace === namespace && latest.spec.policyName);
    const target = found?.latest.spec.targetNode;
    return found && target ? { move: found.latest.metadata.name, target } : undefined;
  }).catch((error: Error) => void timeline.add(name, error.message));
  await waitFor(`policy ${name} to be deleted`, 60, async () => {
    await api.delete(`${policiesPath}/${name}`);
    return true;
  });
  return asked;
}

/** Of each node, from 0 to 1. */
async function freeShares({ api, cluster }: Scene): Promise<Map<string, number>> {
  const shares = cluster.machines.map(async ({ node }): Promise<[string, number]> => {
    const { usedBytes, capacityBytes } = await nodeMemory(api, node.name);
    return [node.name, 1 - usedBytes / capacityBytes];
  });
  return new Map(await Promise.all(shares));
}
