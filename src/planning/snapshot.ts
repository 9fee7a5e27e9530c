/**
 * The cluster snapshot: all that a decision may look at, at one moment. Bytes, milliseconds since the epoch, seconds.
 * The written form (YAML/JSON) is parsed in ../api/v1alpha1/cluster-snapshot.ts.
 */
import type { Phase } from "../api/v1alpha1/pod-migration.ts";

/** Samples in ascending time; same length. */
export interface Series {
  readonly timesMs: Float64Array;
  readonly bytes: Float64Array;
}

export interface Taint {
  key: string;
  value?: string;
  effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: string;
}

/** `missing`: no usable sample; `stale`: older than the policy's staleAfter (judged in evaluate); never makes a node look safer. */
export interface NodeSnapshot {
  name: string;
  capacityBytes: number;
  allocatableBytes: number;
  /** Measured use of the whole node; undefined when the source has none. */
  usedBytes: number | undefined;
  /** When `usedBytes` was measured. */
  sampledAtMs: number | undefined;
  series?: Series;
  labels: Record<string, string>;
  taints: Taint[];
  unschedulable: boolean;
  ready: boolean;
  maxPods: number;
  /** The node's agent is ready to serve moves. */
  agentReady: boolean;
}

export interface PodSnapshot {
  namespace: string;
  name: string;
  uid: string;
  node: string;
  usedBytes: number | undefined;
  sampledAtMs: number | undefined;
  series?: Series;
  /** Bytes per minute; where a series is there, derived from it. */
  growthBytesPerMinute?: number;
  requestBytes: number;
  labels: Record<string, string>;
  namespaceLabels: Record<string, string>;
  annotations: Record<string, string>;
  tolerations: Toleration[];
  nodeSelector: Record<string, string>;
  startedAtMs?: number;
  expectedRuntimeSeconds?: number;
  /** How often its lineage was moved before. */
  migrations: number;
  lineage: string;
  ownerKind?: string;
  phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  /** Why this pod can never be moved, as the PodMigration preflight would say; absent when nothing speaks against it. */
  obstacle?: { reason: string; message: string };
}

export interface MoveSnapshot {
  namespace: string;
  name: string;
  pod: string;
  podUID?: string;
  lineage?: string;
  policy?: string;
  from: string;
  to?: string;
  memoryBytes: number;
  phase: Phase;
  startedAtMs?: number;
  finishedAtMs?: number;
  freezeMilliseconds?: number;
  transferredBytes?: number;
}

export interface ClusterSnapshot {
  timeMs: number;
  nodes: NodeSnapshot[];
  pods: PodSnapshot[];
  /** In flight and past. */
  moves: MoveSnapshot[];
  /** What the last evaluate handed back. */
  memory?: PlanningMemory;
}

/** Carried from one evaluation to the next; serialisable and bounded. Losing it makes decisions more cautious, never bolder. */
export interface PlanningMemory {
  version: 1;
  /** Nodes that are gated, by the policy that gated them. */
  gates: Record<string, string>;
}
