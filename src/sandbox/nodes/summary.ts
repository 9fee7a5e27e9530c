/** What a kubelet answers: its Summary API and its own list of pods. */
import type { ApiObject, JsonObject } from "../api-server/json.ts";
import type { SimulatedNode } from "./node.ts";

/** GET /stats/summary, memory only. Bytes. */
export function summary(node: SimulatedNode): JsonObject {
  const time = new Date(node.clock.now()).toISOString();
  const memory = (bytes: number): JsonObject => ({ time, usageBytes: bytes, workingSetBytes: bytes, rssBytes: bytes });
  const { usedBytes } = node;
  const running = [...node.containers.values()].filter(({ exit }) => !exit);
  return {
    node: {
      nodeName: node.name,
      memory: { ...memory(usedBytes), availableBytes: Math.max(0, node.capacityBytes - usedBytes) },
    },
    pods: running.map(({ pod, name, process }) => ({
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      containers: [{ name, memory: memory(process.memoryBytes) }],
      memory: memory(process.memoryBytes),
    })),
  };
}

/** GET /pods. */
export const podList = (pods: ApiObject[]): JsonObject => ({
  kind: "PodList",
  apiVersion: "v1",
  metadata: {},
  items: pods,
});
