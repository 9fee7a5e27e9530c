/** Nodes and pods of the API as a metrics source wants to hear of them. */
import { parseResourceQuantity } from "../api/quantity.ts";
import type { Node, Pod } from "../kube/resources.ts";
import type { CollectRequest, LiveNode, LivePod } from "./source.ts";

/** Pods that wait for a node, or have ended, use no memory and are left out. */
export function collectRequest(nowMs: number, nodes: readonly Node[], pods: readonly Pod[]): CollectRequest {
  return { nowMs, nodes: nodes.map(liveNode), pods: pods.flatMap((pod) => livePod(pod) ?? []) };
}

/** A node that hasn't reported its size has a capacity of 0: none of its figures are believed. */
export function liveNode({ metadata, status }: Node): LiveNode {
  const hostname = metadata.labels?.["kubernetes.io/hostname"];
  return {
    name: metadata.name,
    capacityBytes: parseResourceQuantity(status?.capacity?.memory ?? "") ?? 0,
    ...(hostname !== undefined && { hostname }),
  };
}

export function livePod({ metadata, spec, status }: Pod): LivePod | undefined {
  const ended = status?.phase === "Succeeded" || status?.phase === "Failed";
  if (ended || !spec.nodeName || !metadata.uid) return undefined;
  const startedAtMs = Date.parse(status?.startTime ?? "");
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid,
    node: spec.nodeName,
    startedAtMs: Number.isNaN(startedAtMs) ? undefined : startedAtMs,
  };
}
