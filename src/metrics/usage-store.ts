/**
 * What a source remembers between two collections: one bounded series for each node's channel and each pod's container, of what is alive.
 * Sources put raw figures in; measurements come out.
 */
import type { Series } from "../planning/snapshot.ts";
import { type AlignmentOptions, alignedSum } from "./aligned-sum.ts";
import { BoundedSeries } from "./bounded-series.ts";
import { type Judgement, judgeContainer, judgeNode, judgeTime, type NodeFigures } from "./plausibility.ts";
import type { CollectRequest, LiveNode, LivePod, Measurement, Rejection, RejectionReason } from "./source.ts";

export interface StoreLimits extends AlignmentOptions {
  /** Older samples are forgotten. Milliseconds. */
  retentionMs: number;
  /** Of one node or container. */
  maxSamples: number;
  /** How far a node's clock may be ahead. Milliseconds. */
  futureToleranceMs: number;
  /** A node's better channel is given up for a lesser one after being silent so long. Milliseconds. */
  channelSilenceMs: number;
}

export const DEFAULT_LIMITS: StoreLimits = {
  retentionMs: 60 * 60_000,
  maxSamples: 240,
  futureToleranceMs: 5_000,
  channelSilenceMs: 5 * 60_000,
  toleranceMs: 2_000,
  carryMs: 60_000,
};

/** One node (by channel) or one pod (by container). */
interface Tracked {
  parts: Map<string, BoundedSeries>;
  rejections: Map<RejectionReason, Rejection>;
}

interface TrackedNode extends Tracked {
  live: LiveNode;
}

interface TrackedPod extends Tracked {
  live: LivePod;
  nodeCapacityBytes: number;
}

export class UsageStore {
  readonly #limits: StoreLimits;
  #nowMs = 0;
  #nodes = new Map<string, TrackedNode>();
  #pods = new Map<string, TrackedPod>();

  constructor(limits: StoreLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Begins a collection: what is not asked for is forgotten, and so are old samples and the last collection's rejections.
   * Answers whether something is asked for the first time that may have samples from before `sinceMs`.
   */
  begin(request: CollectRequest, sinceMs: number): { unknownHistory: boolean } {
    this.#nowMs = request.nowMs;
    const knownNodes = this.#nodes;
    const knownPods = this.#pods;
    this.#nodes = new Map(
      request.nodes.map((live) => [live.name, { ...this.#renew(knownNodes.get(live.name)), live }]),
    );
    this.#pods = new Map(request.pods.map((live) => [live.uid, this.#track(live, knownPods.get(live.uid))]));
    return {
      unknownHistory:
        request.nodes.some(({ name }) => !knownNodes.has(name)) ||
        request.pods.some(({ uid, startedAtMs = sinceMs }) => !knownPods.has(uid) && startedAtMs < sinceMs),
    };
  }

  /** What one channel (an agent's way of measuring) says of a node. Nodes that weren't asked about are ignored. */
  addNode(name: string, channel: string, timeMs: number, figures: NodeFigures): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#add(node, channel, timeMs, undefined, judgeNode(figures, node.live.capacityBytes));
  }

  /** Pods that weren't asked about, or haven't started, are ignored. */
  addContainer(podUID: string, container: string, timeMs: number, bytes: number): void {
    const pod = this.#pods.get(podUID);
    if (pod?.live.startedAtMs === undefined) return;
    this.#add(pod, container, timeMs, pod.live.startedAtMs, judgeContainer(bytes, pod.nodeCapacityBytes));
  }

  /** @param channels the nodes' channels, the best first */
  read(channels: readonly string[]): { nodes: Map<string, Measurement>; pods: Map<string, Measurement> } {
    const nodes = new Map<string, Measurement>();
    const pods = new Map<string, Measurement>();
    for (const [name, node] of this.#nodes) nodes.set(name, this.#measurement(this.#bestChannel(node, channels), node));
    for (const [uid, pod] of this.#pods) pods.set(uid, this.#measurement(this.#sum(pod), pod));
    return { nodes, pods };
  }

  #track(live: LivePod, known: TrackedPod | undefined): TrackedPod {
    const nodeCapacityBytes = this.#nodes.get(live.node)?.live.capacityBytes ?? Number.POSITIVE_INFINITY;
    return { ...this.#renew(known), live, nodeCapacityBytes };
  }

  #renew(known: Tracked | undefined): Tracked {
    const parts = known?.parts ?? new Map<string, BoundedSeries>();
    for (const [name, part] of parts) {
      part.dropBefore(this.#nowMs - this.#limits.retentionMs);
      if (part.length === 0) parts.delete(name);
    }
    return { parts, rejections: new Map() };
  }

  #add(tracked: Tracked, part: string, timeMs: number, startedAtMs: number | undefined, judgement: Judgement): void {
    if (timeMs < this.#nowMs - this.#limits.retentionMs) return;
    const wrongTime = judgeTime(timeMs, {
      nowMs: this.#nowMs,
      futureToleranceMs: this.#limits.futureToleranceMs,
      startedAtMs,
    });
    if (wrongTime !== undefined) reject(tracked, wrongTime, timeMs);
    else if (!judgement.ok) reject(tracked, judgement.reason, timeMs);
    else this.#part(tracked, part).add(timeMs, judgement.usedBytes);
  }

  #part(tracked: Tracked, name: string): BoundedSeries {
    const known = tracked.parts.get(name);
    if (known !== undefined) return known;
    const part = new BoundedSeries(this.#limits.maxSamples);
    tracked.parts.set(name, part);
    return part;
  }

  /** Channels measure differently, so they are never mixed: that would show as jumps. */
  #bestChannel(node: Tracked, channels: readonly string[]): Series {
    const newest = Math.max(...Array.from(node.parts.values(), (part) => part.newestAtMs ?? 0));
    for (const channel of channels) {
      const part = node.parts.get(channel);
      if (part?.newestAtMs !== undefined && part.newestAtMs >= newest - this.#limits.channelSilenceMs) {
        return part.toSeries();
      }
    }
    return new BoundedSeries(1).toSeries();
  }

  /** At most `maxSamples`, the newest ones: containers that are sampled at different moments would otherwise add up. */
  #sum(pod: Tracked): Series {
    const parts = Array.from(pod.parts.values(), (part) => part.toSeries());
    const { timesMs, bytes } = alignedSum(parts, this.#limits);
    const from = Math.max(0, timesMs.length - this.#limits.maxSamples);
    return from === 0 ? { timesMs, bytes } : { timesMs: timesMs.slice(from), bytes: bytes.slice(from) };
  }

  #measurement(series: Series, { rejections }: Tracked): Measurement {
    const sampledAtMs = series.timesMs.at(-1);
    const knownUntilMs = (sampledAtMs ?? Number.NEGATIVE_INFINITY) + this.#limits.toleranceMs;
    const rejected = [...rejections.values()];
    return {
      series,
      usedBytes: series.bytes.at(-1),
      sampledAtMs,
      suspect: rejected.some(({ reason, newestAtMs }) => reason !== "BeforeStart" && newestAtMs > knownUntilMs),
      rejections: rejected,
    };
  }
}

function reject(tracked: Tracked, reason: RejectionReason, timeMs: number): void {
  const known = tracked.rejections.get(reason) ?? { reason, count: 0, newestAtMs: Number.NEGATIVE_INFINITY };
  known.count++;
  if (timeMs > known.newestAtMs) known.newestAtMs = timeMs;
  tracked.rejections.set(reason, known);
}
