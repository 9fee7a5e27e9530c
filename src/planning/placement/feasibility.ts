/** Feasibility: could this pod run on this node, with room to spare. Precedes every placement strategy. */
import { type Amount, amountBytes, formatBytes } from "../../api/quantity.ts";
import { GATE_TAINT } from "../../api/v1alpha1/group.ts";
import type { ClusterNode } from "../cluster.ts";
import type { Reason } from "../decision.ts";
import { problemOf } from "../figures.ts";
import type { Ledger } from "../ledger.ts";
import { selfTestRefusal } from "../self-test.ts";
import type { PodSnapshot } from "../snapshot.ts";
import { stagingBytes } from "../staging.ts";
import type { View } from "../view.ts";
import { neighbourRefusal } from "./neighbour-rules.ts";
import { nodeAffinityRefusal } from "./node-affinity.ts";
import type { Target } from "./placement.ts";
import { taintRefusal } from "./tolerations.ts";

export interface FeasibilityContext {
  view: View;
  ledger: Ledger;
  freeBelow: Amount;
  margin: Amount;
  /** What the pod's memory-backed emptyDirs take of the copy; absent: 0, for nothing is known of them. */
  memoryFilesBytes?: number;
  /**
   * The room must still be there after so long, with the growth of what runs there, what comes and the pod; where the policy forecasts,
   * with the bounds of what is foreseen of them up to then. Absent: 0.
   */
  aheadMinutes?: number;
  /** Moves to a node at once; absent: any number. */
  mostPerNode?: number;
  /** Nodes that the pod was moved from so lately that it does not go back; absent: none. */
  justLeft?(pod: PodSnapshot): ReadonlySet<string>;
  /** The scheduling gate keeps new pods off this node. */
  isGated(node: string): boolean;
}

/** A node that could be a target as far as the node alone is concerned. */
export interface OpenNode {
  node: ClusterNode;
  usedBytes: number;
  /** How much more its pods will use at most, and when: after so many minutes, or at the horizon of the policy's forecasts. */
  growth?(minutes: number): { minutes: number; bytes: number };
}

type NodeCheck = (node: ClusterNode, context: FeasibilityContext) => Reason | undefined;
type PodCheck = (pod: PodSnapshot, bytes: number, open: OpenNode, context: FeasibilityContext) => Reason | undefined;

/** Most targets are only asked whether they will do: the sentence is made when it is read. */
class Unfit implements Reason {
  readonly reason: string;
  readonly #tell: () => string;

  constructor(reason: string, tell: () => string) {
    this.reason = reason;
    this.#tell = tell;
  }

  get message(): string {
    return this.#tell();
  }
}

const unfit = (reason: string, tell: () => string): Reason => new Unfit(reason, tell);

const nodeReady: NodeCheck = ({ snapshot }) =>
  snapshot.ready ? undefined : { reason: "NodeNotReady", message: "the node is not ready" };
const agentReady: NodeCheck = ({ snapshot }) =>
  snapshot.agentReady ? undefined : { reason: "AgentNotReady", message: "the node's agent is not ready" };
const handlerInstalled: NodeCheck = ({ snapshot: { handlerMissing } }) =>
  handlerMissing === undefined ? undefined : { reason: "HandlerNotInstalled", message: handlerMissing };
const schedulable: NodeCheck = ({ snapshot }) =>
  snapshot.unschedulable ? { reason: "Cordoned", message: "the node is cordoned" } : undefined;
const notGated: NodeCheck = ({ snapshot }, { isGated }) =>
  isGated(snapshot.name) || snapshot.taints.some((taint) => taint.key === GATE_TAINT)
    ? { reason: "Gated", message: "the node is filling up: its scheduling gate is closed" }
    : undefined;
const measured: NodeCheck = (node, { view }) => {
  const use = view.nodeUse(node);
  return use.ok ? undefined : problemOf(use);
};

const NODE_CHECKS: readonly NodeCheck[] = [nodeReady, agentReady, handlerInstalled, schedulable, notGated, measured];

/** What speaks against this node as the target of any pod. */
export function closedFor(node: ClusterNode, context: FeasibilityContext): Reason | undefined {
  for (const check of NODE_CHECKS) {
    const reason = check(node, context);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

const toleratesTaints: PodCheck = (pod, _, { node }) => taintRefusal(pod, node.snapshot);
const nodeSelected: PodCheck = (pod, _, { node }) => nodeAffinityRefusal(pod, node.snapshot);
const besideNeighbours: PodCheck = (pod, _, { node }, { view, ledger }) =>
  neighbourRefusal(pod, node.snapshot, view.cluster, ledger.arrivals());

const proven: PodCheck = (pod, _, { node }) => selfTestRefusal(pod, node.snapshot);

const podSlot: PodCheck = (_pod, _, { node }, { ledger }) => {
  const { snapshot, podCount } = node;
  const room = snapshot.maxPods - podCount - ledger.at(snapshot.name).incomingPods;
  return room >= 1 ? undefined : { reason: "TooManyPods", message: `the node runs at most ${snapshot.maxPods} pods` };
};

const requestsFit: PodCheck = (pod, _, { node }, { ledger }) => {
  const { name, allocatableBytes } = node.snapshot;
  const requested = node.requestedBytes + ledger.at(name).incomingRequestBytes;
  if (pod.requestBytes === 0 || requested + pod.requestBytes <= allocatableBytes) return undefined;
  return unfit("RequestsDoNotFit", () => {
    const left = formatBytes(Math.max(0, allocatableBytes - requested));
    return `the pod requests ${formatBytes(pod.requestBytes)}, ${left} is left`;
  });
};

/** Free after the move must be at least freeBelow + margin: a target must not be the next to be short. */
const roomToSpare: PodCheck = (pod, bytes, open, context) => {
  const freeBytes = freeOn(open, context);
  const spareBytes = spareOn(open, context);
  const growthBytes =
    context.view.foresight === undefined
      ? growthAhead(pod, open.node, context)
      : foreseenGrowth(pod, bytes, open, context, freeBytes - bytes - spareBytes);
  const keepBytes = spareBytes + growthBytes;
  if (freeBytes - bytes >= keepBytes) return undefined;
  return unfit("NotEnoughRoom", () => {
    const [free, keep] = [formatBytes(Math.max(0, freeBytes)), formatBytes(keepBytes)];
    return `${free} is free, and ${keep} must remain beside ${formatBytes(bytes)}`;
  });
};

const freeOn = ({ node: { snapshot }, usedBytes }: OpenNode, { ledger }: FeasibilityContext) =>
  snapshot.capacityBytes - usedBytes - ledger.at(snapshot.name).incomingBytes;
const spareOn = ({ node: { snapshot } }: OpenNode, { freeBelow, margin }: FeasibilityContext) =>
  amountBytes(freeBelow, snapshot.capacityBytes) + amountBytes(margin, snapshot.capacityBytes);

function growthAhead(
  pod: PodSnapshot,
  node: ClusterNode,
  { view, ledger, aheadMinutes = 0 }: FeasibilityContext,
): number {
  if (aheadMinutes === 0) return 0;
  const arriving = ledger.at(node.snapshot.name).incomingGrowthBytesPerMinute + Math.max(0, view.podGrowth(pod) ?? 0);
  return aheadMinutes * (view.nodeGrowth(node).perMinute + arriving);
}

/** How much more than now it may be at the horizon. A cruder bound does where it is not more than `enoughBytes`. */
function foreseenGrowth(
  pod: PodSnapshot,
  bytes: number,
  { node, usedBytes }: OpenNode,
  { view: { foresight }, ledger, aheadMinutes = 0 }: FeasibilityContext,
  enoughBytes: number,
): number {
  if (enoughBytes < 0 || foresight === undefined) return 0;
  const arriving = aheadMinutes * ledger.at(node.snapshot.name).incomingGrowthBytesPerMinute;
  const growth = (podMostBytes: number | undefined) => {
    const own = Math.max(0, (podMostBytes ?? bytes) - bytes);
    const nodeMostBytes = foresight.nodeAtMost(node, usedBytes + enoughBytes - arriving - own) ?? usedBytes;
    return arriving + own + Math.max(0, nodeMostBytes - usedBytes);
  };
  const crude = growth(foresight.podAtMost(pod, bytes + enoughBytes - arriving));
  return crude <= enoughBytes ? crude : growth(foresight.podAtMost(pod));
}

/** What a move of this pod stages on its target beside the pod itself. */
export function copyBytes(bytes: number, { memoryFilesBytes = 0 }: FeasibilityContext): number {
  return stagingBytes({ memoryBytes: bytes, memoryFilesBytes });
}

/** The node's agent stages so much for all moves together. */
const roomToStage: PodCheck = (_pod, bytes, { node }, context) => {
  const { name, stagingFreeBytes } = node.snapshot;
  if (stagingFreeBytes === undefined) return undefined;
  const leftBytes = stagingFreeBytes - context.ledger.at(name).stagingBytes;
  const copy = copyBytes(bytes, context);
  if (copy <= leftBytes) return undefined;
  return unfit("NoStagingRoom", () => {
    const left = formatBytes(Math.max(0, leftBytes));
    return `${left} can be staged beside other moves, the copy may take ${formatBytes(copy)}`;
  });
};

/** Until the restore ends, the copy that was sent and the restored memory are both there. */
const roomForCopy: PodCheck = (_pod, bytes, open, context) => {
  const { name, stagingFreeBytes } = open.node.snapshot;
  if (stagingFreeBytes === undefined) return undefined;
  const copy = copyBytes(bytes, context);
  if (bytes + copy <= freeOn(open, context) - context.ledger.at(name).stagingBytes) return undefined;
  return unfit("NoRoomForCopy", () => {
    const both = `${formatBytes(bytes)} and, until it is restored, a copy of up to ${formatBytes(copy)}`;
    return `the pod's ${both} do not fit`;
  });
};

const notJustLeft: PodCheck = (pod, _, { node }, { justLeft }) =>
  justLeft?.(pod).has(node.snapshot.name) === true
    ? { reason: "JustLeft", message: "the pod was moved from this node a short while ago" }
    : undefined;

const paced: PodCheck = (_pod, _, { node }, { ledger, mostPerNode }) =>
  mostPerNode !== undefined && ledger.at(node.snapshot.name).incomingPods >= mostPerNode
    ? { reason: "MovesPerNode", message: `${mostPerNode} moves to the node are under way` }
    : undefined;

const POD_CHECKS: readonly PodCheck[] = [
  toleratesTaints,
  nodeSelected,
  besideNeighbours,
  proven,
  podSlot,
  requestsFit,
  roomToSpare,
  roomToStage,
  roomForCopy,
  notJustLeft,
  paced,
];

/** What speaks against this open node as the target of this pod. */
export function unfitFor(
  pod: PodSnapshot,
  bytes: number,
  open: OpenNode,
  context: FeasibilityContext,
): Reason | undefined {
  for (const check of POD_CHECKS) {
    const reason = check(pod, bytes, open, context);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Whether nothing speaks against it. Most targets that will not do are told by their free memory alone. */
export function isFit(pod: PodSnapshot, bytes: number, open: OpenNode, context: FeasibilityContext): boolean {
  if (freeOn(open, context) - bytes < spareOn(open, context)) return false;
  return unfitFor(pod, bytes, open, context) === undefined;
}

/** The node as a placement strategy sees it, reservations taken off. */
export function asTarget(open: OpenNode, ledger: Ledger): Target {
  const { name, capacityBytes, allocatableBytes } = open.node.snapshot;
  const { incomingBytes, incomingRequestBytes, incomingGrowthBytesPerMinute } = ledger.at(name);
  const freeBytes = capacityBytes - open.usedBytes - incomingBytes;
  return {
    name,
    capacityBytes,
    freeBytes,
    freeAheadBytes(minutes) {
      const own = open.growth?.(minutes) ?? { minutes, bytes: 0 };
      return freeBytes - own.bytes - own.minutes * incomingGrowthBytesPerMinute;
    },
    allocatableBytes,
    requestedBytes: open.node.requestedBytes + incomingRequestBytes,
  };
}

/** `view`: as the policy sees the cluster. The result is asked for as many minutes as the strategy looks ahead. */
export function growthOf(node: ClusterNode, usedBytes: number, view: View): NonNullable<OpenNode["growth"]> {
  return (minutes) => {
    const { foresight } = view;
    if (foresight === undefined) return { minutes, bytes: minutes * view.nodeGrowth(node).perMinute };
    const mostBytes = foresight.nodeAtMost(node, Number.NEGATIVE_INFINITY) ?? Number.POSITIVE_INFINITY;
    return { minutes: foresight.settings.horizonSeconds / 60, bytes: Math.max(0, mostBytes - usedBytes) };
  };
}
