import type { Api } from "./api.ts";

interface Summary {
  node: { memory: { availableBytes: number; workingSetBytes: number } };
}

export interface NodeMemory {
  /** As the kubelet last measured it, up to ten seconds ago. */
  usedBytes: number;
  capacityBytes: number;
}

/** From the kubelet's Summary API. */
export async function nodeMemory(api: Api, node: string): Promise<NodeMemory> {
  const summary = await api.get<Summary>(`/api/v1/nodes/${node}/proxy/stats/summary`);
  if (!summary) throw new Error(`node ${node} has no kubelet that answers`);
  const { availableBytes, workingSetBytes } = summary.node.memory;
  return { usedBytes: workingSetBytes, capacityBytes: availableBytes + workingSetBytes };
}
