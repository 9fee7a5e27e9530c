/**
 * What is simulated: nodes, pods whose memory follows a trace, and the conditions they meet. Seconds are since the simulation's
 * start unless a name says otherwise; bytes throughout.
 */
import type { Amount } from "../api/quantity.ts";
import type { Taint, Toleration } from "../planning/snapshot.ts";
import type { PlanningFacts } from "./planning-facts.ts";

/**
 * Memory over a pod's own work, which stands still while it is frozen and begins anew after a kill: ascending seconds of work, the
 * first 0; in between memory changes along a straight line, after the last it stays. At least one; same length.
 */
export interface Trace {
  readonly seconds: Float64Array;
  readonly bytes: Float64Array;
}

/** A part of a trace, in seconds of work, of which the metrics source shows nothing; its node's figures are there. */
export interface Gap {
  fromSeconds: number;
  toSeconds: number;
}

export interface SimulatedPod extends PlanningFacts {
  namespace: string;
  name: string;
  arrivalSeconds: number;
  /** Work until it has finished; undefined: it never does. */
  durationSeconds: number | undefined;
  trace: Trace;
  gaps?: readonly Gap[];
  requestBytes: number;
  /** The kubelet evicts lower ones first; default 0. */
  priority?: number;
  /** Above it its container is killed, whatever the node has. */
  limitBytes?: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  tolerations?: Toleration[];
  nodeSelector?: Record<string, string>;
  /** What its owner says, known to the planning; may be wrong. */
  expectedRuntimeSeconds?: number;
  /** The node that it ran on when it was recorded: where it is first put if it fits there. */
  node?: string;
}

export interface SimulatedNode {
  name: string;
  capacityBytes: number;
  /** What the scheduler may give out; default: the capacity. */
  allocatableBytes?: number;
  labels?: Record<string, string>;
  /** Those of a node that takes no new pods are among them: the scheduler goes by these alone. */
  taints?: Taint[];
  maxPods?: number;
  /** It is cordoned: no move goes there, whatever pods tolerate. Default false. */
  unschedulable?: boolean;
  /** No move goes to a node that is not, nor to one whose agent is not. Default true, both. */
  ready?: boolean;
  agentReady?: boolean;
}

export interface Conditions {
  /** Memory is followed, and kills are noticed, in steps of this. */
  tickSeconds: number;
  metrics: {
    /** A sample of every node and pod so often. */
    intervalSeconds: number;
    /** A sample is seen so long after it was taken. */
    delaySeconds: number;
    /** Part of the samples that never arrive, 0 to 1. */
    lossRate: number;
  };
  scheduler: "LeastRequested" | "Balanced";
  kubelet: {
    /** Evicts while less than this is free; the kubelet's default is 100 MiB. */
    evictionBytes: number;
    /** It looks so often; the kubelet's default is 10 s. */
    intervalSeconds: number;
  };
  /**
   * A killed or evicted pod starts again after this, from the beginning of its work; killed again soon, after twice as long, up to five
   * minutes.
   */
  restartSeconds: number;
  moves: {
    /** A move takes fixed + bytes × secondsPerByte when it has the network to itself; of it the last part freezes the pod. */
    fixedSeconds: number;
    secondsPerByte: number;
    /** Standard deviation of a factor's logarithm: 0 means exactly as predicted. */
    noise: number;
    /** Part of the moves that fail and roll back, 0 to 1. */
    failureRate: number;
    /** What all moves together may stage on a node, as planning reckons with it; absent: not known to it, and not asked for. */
    stagingBudget?: Amount;
  };
}

export interface Scenario {
  name: string;
  nodes: readonly SimulatedNode[];
  pods: readonly SimulatedPod[];
  /** When the simulation ends, whether or not everything has finished. */
  endSeconds: number;
  conditions: Conditions;
}

export const DEFAULT_CONDITIONS: Conditions = {
  tickSeconds: 10,
  metrics: { intervalSeconds: 10, delaySeconds: 10, lossRate: 0 },
  scheduler: "LeastRequested",
  kubelet: { evictionBytes: 100 * 1024 ** 2, intervalSeconds: 10 },
  restartSeconds: 10,
  moves: { fixedSeconds: 3, secondsPerByte: 3.3506e-9, noise: 0.2, failureRate: 0.01, stagingBudget: { fraction: 1 } },
};
