/** Finds the best feasible target of a pod, and says of the others why not. */
import type { ClusterNode } from "../cluster.ts";
import type { Reason } from "../decision.ts";
import type { PodSnapshot } from "../snapshot.ts";
import {
  asTarget,
  closedFor,
  type FeasibilityContext,
  growthOf,
  isFit,
  type OpenNode,
  unfitFor,
} from "./feasibility.ts";
import type { PlacementFunction } from "./placement.ts";

export interface TargetRefusal extends Reason {
  node: string;
}

/** Nodes told apart once, for all pods. */
export interface Targets {
  open: OpenNode[];
  closed: TargetRefusal[];
}

/** `nodes` in ascending order of name. */
export function sortTargets(nodes: readonly ClusterNode[], context: FeasibilityContext): Targets {
  const targets: Targets = { open: [], closed: [] };
  for (const node of nodes) {
    const reason = closedFor(node, context);
    const use = context.view.nodeUse(node);
    if (reason !== undefined) targets.closed.push({ node: node.snapshot.name, ...reason });
    else if (use.ok) {
      targets.open.push({ node, usedBytes: use.usedBytes, growth: growthOf(node, use.usedBytes, context.view) });
    }
  }
  return targets;
}

interface Best {
  open: OpenNode;
  score: number;
}

/** The feasible target of the highest score, the first by name among equals; undefined when there is none. */
export function bestTarget(
  pod: PodSnapshot,
  bytes: number,
  targets: Targets,
  context: FeasibilityContext,
  score: PlacementFunction,
): OpenNode | undefined {
  let best: Best | undefined;
  for (const open of targets.open) {
    if (open.node.snapshot.name === pod.node) continue;
    const value = score(asTarget(open, context.ledger), bytes);
    if (best !== undefined && !(value > best.score)) continue;
    if (isFit(pod, bytes, open, context)) best = { open, score: value };
  }
  return best?.open;
}

/** Whether {@link bestTarget} would find one; stops at the first. */
export function hasTarget(pod: PodSnapshot, bytes: number, targets: Targets, context: FeasibilityContext): boolean {
  return targets.open.some((open) => open.node.snapshot.name !== pod.node && isFit(pod, bytes, open, context));
}

/** Why the pod cannot go to them, in their order; at most `most` of them. */
export function targetRefusals(
  pod: PodSnapshot,
  bytes: number,
  targets: readonly OpenNode[],
  context: FeasibilityContext,
  most: number,
): TargetRefusal[] {
  const refusals: TargetRefusal[] = [];
  for (const open of targets) {
    const node = open.node.snapshot.name;
    const unfit = node === pod.node ? undefined : unfitFor(pod, bytes, open, context);
    if (unfit !== undefined) refusals.push({ node, reason: unfit.reason, message: unfit.message });
    if (refusals.length >= most) break;
  }
  return refusals;
}

export function freestFirst(targets: Targets, { ledger }: FeasibilityContext): OpenNode[] {
  return targets.open
    .map((open) => ({ open, freeBytes: asTarget(open, ledger).freeBytes }))
    .sort((a, b) => b.freeBytes - a.freeBytes)
    .map(({ open }) => open);
}
