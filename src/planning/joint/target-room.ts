/**
 * What a target has room for and what a pod takes of it, in numbers that add up, as the joint plan needs them. Mirrors the checks of
 * ../placement/feasibility.ts, which has the last word: every move of a plan is checked by it before it is made.
 */
import { amountBytes } from "../../api/quantity.ts";
import { copyBytes, type FeasibilityContext, type OpenNode } from "../placement/feasibility.ts";
import type { Candidate } from "../selection/selection.ts";

/** Memory up to the time that the policy looks ahead; requests; staging; memory while copies are there too; pods. */
export function roomOf(open: OpenNode, context: FeasibilityContext): number[] {
  const { ledger, freeBelow, margin } = context;
  const { name, capacityBytes, allocatableBytes, maxPods, stagingFreeBytes } = open.node.snapshot;
  const { incomingBytes, incomingRequestBytes, incomingPods, stagingBytes } = ledger.at(name);
  const freeBytes = capacityBytes - open.usedBytes - incomingBytes;
  const keepBytes = amountBytes(freeBelow, capacityBytes) + amountBytes(margin, capacityBytes);
  const staged = stagingFreeBytes !== undefined;
  return [
    freeBytes - keepBytes - growthOf(open, context),
    Math.max(0, allocatableBytes - open.node.requestedBytes - incomingRequestBytes),
    staged ? stagingFreeBytes - stagingBytes : Number.POSITIVE_INFINITY,
    staged ? freeBytes - stagingBytes : Number.POSITIVE_INFINITY,
    maxPods - open.node.podCount - incomingPods,
  ];
}

/** In the same dimensions. */
export function takenBy({ pod, bytes, growthBytesPerMinute = 0 }: Candidate, context: FeasibilityContext): number[] {
  const { view, aheadMinutes = 0 } = context;
  const copy = copyBytes(bytes, context);
  const later = view.foresight?.podAtMost(pod);
  const grown = later === undefined ? aheadMinutes * Math.max(0, growthBytesPerMinute) : Math.max(0, later - bytes);
  return [bytes + grown, pod.requestBytes, copy, bytes + copy, 1];
}

function growthOf({ node, usedBytes }: OpenNode, { view, ledger, aheadMinutes = 0 }: FeasibilityContext): number {
  const arriving = aheadMinutes * ledger.at(node.snapshot.name).incomingGrowthBytesPerMinute;
  if (view.foresight === undefined) {
    return aheadMinutes === 0 ? 0 : arriving + aheadMinutes * view.nodeGrowth(node).perMinute;
  }
  const mostBytes = view.foresight.nodeAtMost(node, 0) ?? Number.POSITIVE_INFINITY;
  return arriving + Math.max(0, mostBytes - usedBytes);
}
