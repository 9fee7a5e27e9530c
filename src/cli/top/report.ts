/** What `headroom top` shows: memory of nodes and pods at one moment. Bytes; the JSON output has these very fields. */
import type { Node, Pod } from "../../kube/resources.ts";
import { collectRequest } from "../../metrics/live.ts";
import {
  type Freshness,
  freshness,
  type Measurement,
  type MemoryPressure,
  type Reading,
  type SourceName,
} from "../../metrics/source.ts";
import { compareText } from "../../planning/order.ts";

/** An older figure is called stale: the default of a policy's `metrics.staleAfter`. */
export const STALE_AFTER_SECONDS = 90;

/** Absent fields: not measured. */
export interface Use {
  usedBytes?: number;
  /** RFC 3339. */
  sampledAt?: string;
  state: Freshness;
}

export interface TopNode extends Use {
  name: string;
  capacityBytes: number;
  freeBytes?: number;
  pods: number;
  /** Absent: the source, the kubelet or the kernel doesn't tell. */
  pressure?: MemoryPressure;
  /** Why the node could not be asked. */
  error?: string;
}

export interface TopPod extends Use {
  namespace: string;
  name: string;
  node: string;
}

export interface TopReport {
  time: string;
  source: SourceName;
  /** The least free first; those without a figure after them. */
  nodes: TopNode[];
  /** The largest first; those without a figure last. */
  pods: TopPod[];
}

export interface Inventory {
  nodes: readonly Node[];
  pods: readonly Pod[];
}

/** @param onlyNamespace pods of this namespace alone are listed; nodes count all of theirs */
export function report(inventory: Inventory, reading: Reading, onlyNamespace?: string): TopReport {
  const { takenAtMs, source } = reading;
  const { nodes, pods } = collectRequest(takenAtMs, inventory.nodes, inventory.pods);
  const podsOn = Map.groupBy(pods, ({ node }) => node);
  const topNodes = nodes.map(({ name, capacityBytes }) =>
    topNode({ name, capacityBytes, pods: podsOn.get(name)?.length ?? 0 }, reading),
  );
  const listed = pods.filter(({ namespace }) => onlyNamespace === undefined || namespace === onlyNamespace);
  const topPods = listed.map(({ uid, namespace, name, node }) => ({
    namespace,
    name,
    node,
    ...use(reading.pods.get(uid), takenAtMs),
  }));
  return {
    time: new Date(takenAtMs).toISOString(),
    source,
    nodes: topNodes.sort((a, b) => ascending(freeFraction(a), freeFraction(b)) || compareText(a.name, b.name)),
    pods: topPods.sort((a, b) => ascending(-(a.usedBytes ?? Number.NaN), -(b.usedBytes ?? Number.NaN))),
  };
}

/** Of the capacity; NaN when it isn't known. */
export function freeFraction({ freeBytes, capacityBytes }: Pick<TopNode, "freeBytes" | "capacityBytes">): number {
  return freeBytes === undefined ? Number.NaN : freeBytes / capacityBytes;
}

function topNode(node: Pick<TopNode, "name" | "capacityBytes" | "pods">, reading: Reading): TopNode {
  const measured = reading.nodes.get(node.name);
  const used = use(measured, reading.takenAtMs);
  return {
    ...node,
    ...used,
    ...(used.usedBytes !== undefined && { freeBytes: node.capacityBytes - used.usedBytes }),
    ...(measured?.pressure && { pressure: measured.pressure }),
    ...(measured?.error && { error: measured.error.message }),
  };
}

function use(measured: Measurement | undefined, nowMs: number): Use {
  if (measured?.usedBytes === undefined || measured.sampledAtMs === undefined) return { state: "Missing" };
  return {
    usedBytes: measured.usedBytes,
    sampledAt: new Date(measured.sampledAtMs).toISOString(),
    state: freshness(measured, nowMs, STALE_AFTER_SECONDS),
  };
}

/** NaN, which stands for "not known", comes last. */
function ascending(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}
