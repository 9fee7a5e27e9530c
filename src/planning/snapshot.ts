/**
 * The cluster snapshot: all that a decision may look at, at one moment. Bytes, milliseconds since the epoch, seconds.
 * The controller builds it in ../controllers/migration-policy/build-snapshot.ts.
 */
import type { Phase } from "../api/v1alpha1/pod-migration.ts";
import type { RememberedCalibrations } from "./foresight/calibrations.ts";
import type { SchedulingRules } from "./scheduling-rules.ts";

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

/** Memory use as measured. Whether it may be relied on is judged in ./figures.ts: a bad figure never makes a node look safer. */
export interface Figure {
  /** Undefined when the source has none. */
  usedBytes: number | undefined;
  /** When `usedBytes` was measured. */
  sampledAtMs: number | undefined;
  series?: Series;
  /** What memory will be: known to the simulator's clairvoyant reference alone. A forecast is then this, without a margin. */
  future?: Series;
  /** A newer sample than this was rejected as implausible: what is known is not the whole truth. */
  suspect?: boolean;
}

/** A node; `usedBytes` is that of the whole node. Undefined: the sum of its pods is taken in its place. */
export interface NodeSnapshot extends Figure {
  name: string;
  capacityBytes: number;
  allocatableBytes: number;
  labels: Record<string, string>;
  taints: Taint[];
  unschedulable: boolean;
  ready: boolean;
  maxPods: number;
  /** The node's agent is ready to serve moves. */
  agentReady: boolean;
  /** Why no pod can be moved to it although its agent is ready; absent: nothing is known against it. */
  handlerMissing?: string;
  /** Kinds of containers that its self-test failed for: none of them is moved from or to it. */
  failedKinds?: readonly string[];
  /**
   * Bytes that all moves together may stage here, those under way included: what these take of it is reckoned in ./ledger.ts.
   * A copy exists beside the restored pod, and both count as used. Absent: not known (a snapshot written by hand), and not asked for.
   */
  stagingFreeBytes?: number;
}

export interface PodSnapshot extends Figure, SchedulingRules {
  namespace: string;
  name: string;
  uid: string;
  node: string;
  /** Bytes per minute; where a series is there, derived from it. */
  growthBytesPerMinute?: number;
  requestBytes: number;
  labels: Record<string, string>;
  namespaceLabels: Record<string, string>;
  annotations: Record<string, string>;
  tolerations: Toleration[];
  nodeSelector: Record<string, string>;
  /** When the first of its lineage started: a pod that was moved has run since then, though its own start is when it was restored. */
  startedAtMs?: number;
  expectedRuntimeSeconds?: number;
  /** How often its lineage was moved before. */
  migrations: number;
  lineage: string;
  ownerKind?: string;
  phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  /** It is being deleted. */
  terminating?: boolean;
  /** Why this pod can never be moved, as the PodMigration preflight would say; absent when nothing speaks against it. */
  obstacle?: { reason: string; message: string };
  /** Kinds of containers (as in {@link NodeSnapshot.failedKinds}) that it is known to have; absent: none is known. */
  kinds?: readonly string[];
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
  /** The pod's writable layer and emptyDirs; absent: not known. */
  filesBytes?: number;
  /** The part of them in memory-backed emptyDirs; absent: not known. */
  memoryFilesBytes?: number;
  phase: Phase;
  startedAtMs?: number;
  finishedAtMs?: number;
  freezeMilliseconds?: number;
  transferredBytes?: number;
  /** It was frozen in vain, because of something of a kind that CRIU does not carry. */
  notCarried?: boolean;
  /** It succeeded, and its program failed within a minute of its release. */
  programFailed?: boolean;
}

/** What one metrics source measured. A node or pod that is not in it has no figure there. */
export interface SourceFigures {
  nodes: ReadonlyMap<string, Figure>;
  /** By UID. */
  pods: ReadonlyMap<string, Figure>;
}

export interface ClusterSnapshot {
  timeMs: number;
  nodes: NodeSnapshot[];
  pods: PodSnapshot[];
  /** In flight and past. */
  moves: MoveSnapshot[];
  /** By metrics source: a policy reads its own source's figures only. Absent: the figures on nodes and pods serve every policy. */
  sources?: Readonly<Record<string, SourceFigures>>;
  /** What the last evaluate handed back. */
  memory?: PlanningMemory;
}

/** Carried from one evaluation to the next; serialisable and bounded. Losing it makes decisions more cautious, never bolder. */
export interface PlanningMemory {
  version: 1;
  /** Nodes that are gated, by the policy that gated them. */
  gates: Record<string, string>;
  /** What the last evaluations saw, the newest last: 1 for pressure, 0 for none; by `policy/node`. */
  confirmations?: Record<string, string>;
  /** Pressured nodes that have less free than is wanted, as `policy/node`. */
  relieving?: string[];
  /** How well series were foreseen: see ./foresight/calibrations.ts. */
  forecasts?: RememberedCalibrations;
}
