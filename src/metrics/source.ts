/**
 * A metrics source: measured memory of nodes and pods as bounded series. It only measures; whether a figure is too old for a
 * decision is the policy's business (`staleAfter`), see {@link freshness}.
 * Bytes; milliseconds since the epoch.
 */
import type { Series } from "../planning/snapshot.ts";

export type SourceName = "InfluxDB" | "KubeletSummary";

/** A node that is asked about. */
export interface LiveNode {
  name: string;
  /** `status.capacity.memory`. */
  capacityBytes: number;
  /** Label kubernetes.io/hostname, where it is not the name: some agents report only that. */
  hostname?: string;
}

/** A pod that is asked about; samples of any other pod are left out. */
export interface LivePod {
  namespace: string;
  name: string;
  uid: string;
  node: string;
  /** `status.startTime`: earlier samples are those of a predecessor of the same name. Undefined: not started, no samples. */
  startedAtMs: number | undefined;
}

export interface CollectRequest {
  nowMs: number;
  nodes: readonly LiveNode[];
  pods: readonly LivePod[];
}

/**
 * Why a sample was not used: `Missing` (the agent wrote an empty figure), `Implausible` (negative, not a number, or more than
 * the node has), `Future` (its clock is ahead of ours), `BeforeStart` (a predecessor's of the same name).
 */
export type RejectionReason = "Missing" | "Implausible" | "Future" | "BeforeStart";

/** The samples that one collection rejected for one reason. */
export interface Rejection {
  reason: RejectionReason;
  count: number;
  newestAtMs: number;
}

/** What is known of one node or pod. */
export interface Measurement {
  /** Usable samples only, strictly ascending in time, bounded; a copy that stays as it is. May be empty. */
  series: Series;
  /** The newest usable sample; both undefined when there is none. */
  usedBytes: number | undefined;
  sampledAtMs: number | undefined;
  /** A sample newer than the newest usable one was rejected: what is known is not the whole truth. */
  suspect: boolean;
  /** Of this collection; empty when all was well. */
  rejections: Rejection[];
  /** Why this node could not be asked, when others could. */
  error?: MetricsUnavailable;
  /** Of a node whose source tells it. */
  pressure?: MemoryPressure;
}

/** Pressure stall information: the share of the last ten seconds, percent, in which some task, or all of them, waited for memory. */
export interface MemoryPressure {
  some: number;
  full: number;
}

/** Every node and pod that was asked about has an entry, measured or not. */
export interface Reading {
  source: SourceName;
  takenAtMs: number;
  /** By node name. */
  nodes: Map<string, Measurement>;
  /** By pod UID. */
  pods: Map<string, Measurement>;
}

/**
 * `NotConfigured`: no connection given; `Unauthorized`: wrong or powerless credentials; `NotFound`: no such organisation or
 * bucket; `Unreachable`: no answer, or an error of the server's; `Timeout`; `BadAnswer`: an answer that can't be read.
 */
export type UnavailableReason = "NotConfigured" | "Unauthorized" | "NotFound" | "Unreachable" | "Timeout" | "BadAnswer";

/** A sentence for conditions and logs; never holds a credential. */
export interface MetricsUnavailable {
  reason: UnavailableReason;
  message: string;
}

export type CollectResult = { ok: true; reading: Reading } | { ok: false; error: MetricsUnavailable };

export interface MetricsSource {
  readonly name: SourceName;
  /**
   * Asks for what is new and answers with all that is known. Never rejects, and answers within the source's time limit. One
   * call at a time; concurrent calls share the same answer only if the caller does so (collect once, evaluate all policies).
   * After `ok: false` nothing may be moved on earlier figures; the next call tries again by itself.
   */
  collect(request: CollectRequest): Promise<CollectResult>;
}

export type Freshness = "Fresh" | "Stale" | "Missing" | "Suspect";

/** Whether a measurement may be relied on: only `Fresh` ones may make a node look safe. */
export function freshness(
  measurement: Pick<Measurement, "sampledAtMs" | "suspect">,
  nowMs: number,
  staleAfterSeconds: number,
): Freshness {
  if (measurement.sampledAtMs === undefined) return "Missing";
  if (nowMs - measurement.sampledAtMs > staleAfterSeconds * 1000) return "Stale";
  return measurement.suspect ? "Suspect" : "Fresh";
}
