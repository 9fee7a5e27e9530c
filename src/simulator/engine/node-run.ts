/** A node in the simulation: what runs on it, what of it is promised, and the memory used. Seconds since the simulation's start. */
import { GATE_TAINT } from "../../api/v1alpha1/group.ts";
import type { NodeSnapshot, Taint } from "../../planning/snapshot.ts";
import type { SimulatedNode } from "../scenario.ts";
import { PieceSum } from "./piece-sum.ts";
import type { PodRun } from "./pod-run.ts";
import { UseTally } from "./use-tally.ts";

/** The kubelet's own default. */
const DEFAULT_MAX_PODS = 110;

export class NodeRun {
  readonly name: string;
  readonly capacityBytes: number;
  readonly allocatableBytes: number;
  readonly maxPods: number;
  readonly labels: Record<string, string>;
  readonly unschedulable: boolean;
  readonly ready: boolean;
  readonly agentReady: boolean;
  readonly pods = new Set<PodRun>();
  readonly tally: UseTally;
  /** Requests and pods, those that move here included. */
  requestedBytes = 0;
  promisedPods = 0;
  /** What moves to it hold here. */
  stagedBytes = 0;
  /** The policy whose scheduling gate is closed. */
  gate: string | undefined;
  taints: Taint[];
  /** How often a move put a step into its memory. */
  steps = 0;
  /** A pod was seen above its limit since this was last set back. */
  limitExceeded = false;
  /** The kubelet admits no pod without a request before. */
  underPressureUntil = 0;
  snapshot: NodeSnapshot | undefined;
  readonly #ownTaints: Taint[];
  readonly #pods = new PieceSum();
  /** Memory follows a straight line from a moment until another. */
  #fromSeconds = 0;
  #untilSeconds = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #slope = 0;

  constructor(spec: SimulatedNode, reserve: number) {
    this.name = spec.name;
    this.capacityBytes = spec.capacityBytes;
    this.allocatableBytes = spec.allocatableBytes ?? spec.capacityBytes;
    this.maxPods = spec.maxPods ?? DEFAULT_MAX_PODS;
    this.labels = spec.labels ?? {};
    this.unschedulable = spec.unschedulable ?? false;
    this.ready = spec.ready ?? true;
    this.agentReady = spec.agentReady ?? true;
    this.#ownTaints = spec.taints ?? [];
    this.taints = this.#ownTaints;
    this.tally = new UseTally(spec.capacityBytes * (1 - reserve));
  }

  /** The sum of its pods, and what moves have staged. */
  usedAt(at: number): number {
    if (at >= this.#untilSeconds) this.#follow(at);
    return this.#bytes + this.#slope * (at - this.#fromSeconds);
  }

  #follow(at: number): void {
    const line = this.#pods.at(at);
    if (line.limitExceeded) this.limitExceeded = true;
    this.#bytes = this.stagedBytes + line.bytes;
    this.#slope = line.slope;
    this.#fromSeconds = at;
    this.#untilSeconds = line.until;
  }

  /** Enters what is used now into the tally. */
  observe(at: number): number {
    const bytes = this.usedAt(at);
    this.tally.note(at, bytes);
    return bytes;
  }

  /** The highest use since it was last asked for, or since the start; this moment counts to what was and to what comes. */
  takePeak(at: number): number {
    const bytes = this.usedAt(at);
    const peak = Math.max(this.tally.recentPeakBytes, bytes);
    this.tally.recentPeakBytes = bytes;
    return peak;
  }

  /** Whatever changes what runs on it goes through here: the tally must know before and after. */
  alter(at: number, change: () => void): void {
    this.observe(at);
    change();
    this.#pods.reset(this.pods);
    this.#untilSeconds = Number.NEGATIVE_INFINITY;
    this.observe(at);
  }

  /** Takes the request and the place of a pod, or gives them back. */
  promise(pod: PodRun, sign: 1 | -1): void {
    this.requestedBytes += sign * pod.spec.requestBytes;
    this.promisedPods += sign;
  }

  setGate(policy: string | undefined): void {
    this.gate = policy;
    this.taints =
      policy === undefined
        ? this.#ownTaints
        : [...this.#ownTaints, { key: GATE_TAINT, value: policy, effect: "NoSchedule" }];
    if (this.snapshot) this.snapshot.taints = this.taints;
  }
}
