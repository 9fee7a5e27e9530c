/** Selection and placement together: pods are selected and given a target, until what is asked for is freed. */

import { bestTarget, hasTarget } from "../placement/choose-target.ts";
import { type OpenNode, unfitFor } from "../placement/feasibility.ts";
import type { Candidate, SelectionFunction } from "../selection/selection.ts";
import type { Demand } from "./demand.ts";

export interface Placed {
  candidate: Candidate;
  target: OpenNode;
}

/** A set of moves. */
export interface Choice {
  placed: Placed[];
  /** Not chosen, and with a target still. */
  left: Candidate[];
  /** Not relieved by them. */
  missingBytes: number;
}

export function withTarget({ targets, context }: Demand, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ pod, bytes }) => hasTarget(pod, bytes, targets, context));
}

/**
 * Enters each move into the demand's ledger. Every round places at least the first pod selected, for each candidate has a target; the
 * others may lose theirs to it, and are then left out of the next round's selection.
 */
export function choosePods(
  demand: Demand,
  candidates: readonly Candidate[],
  most: number,
  select: SelectionFunction = demand.policy.select,
): Choice {
  const choice: Choice = { placed: [], left: [...candidates], missingBytes: demand.amountBytes };
  while (choice.missingBytes > 0 && choice.placed.length < most && choice.left.length > 0) {
    const selected = select(choice.left, choice.missingBytes, demand);
    const round = placeSelected(demand, selected, most - choice.placed.length);
    if (round.length === 0) break;
    choice.placed.push(...round);
    choice.missingBytes -= round.reduce((sum, { candidate }) => sum + candidate.reliefBytes, 0);
    const moved = new Set(round.map(({ candidate }) => candidate));
    choice.left = withTarget(
      demand,
      choice.left.filter((candidate) => !moved.has(candidate)),
    );
  }
  return choice;
}

function placeSelected(demand: Demand, selected: readonly Candidate[], most: number): Placed[] {
  const placed: Placed[] = [];
  for (const candidate of selected) {
    if (placed.length >= most) break;
    const target = keptFor(demand, candidate) ?? preferred(demand, candidate);
    if (target === undefined) continue;
    placed.push({ candidate, target });
    reserve(demand, { candidate, target });
  }
  return placed;
}

function preferred({ targets, context, policy }: Demand, { pod, bytes }: Candidate): OpenNode | undefined {
  return bestTarget(pod, bytes, targets, context, policy.score);
}

/** The target that a joint plan keeps for it, if it still fits there. */
function keptFor({ share, targets, context }: Demand, { pod, bytes }: Candidate): OpenNode | undefined {
  const name = share?.chosen.get(pod.uid);
  const open = name === undefined ? undefined : targets.open.find(({ node }) => node.snapshot.name === name);
  return open !== undefined && unfitFor(pod, bytes, open, context) === undefined ? open : undefined;
}

/** What the pod will use at most at the horizon is kept for it. */
export function reserve({ context: { ledger, view } }: Demand, { candidate, target }: Placed): void {
  const { pod, bytes, growthBytesPerMinute } = candidate;
  const later = view.foresight?.podAtMost(pod);
  const horizonMinutes = (view.foresight?.settings.horizonSeconds ?? 60) / 60;
  const growth = later === undefined ? growthBytesPerMinute : Math.max(0, later - bytes) / horizonMinutes;
  const [from, to] = [pod.node, target.node.snapshot.name];
  ledger.reserve({ from, to, bytes, requestBytes: pod.requestBytes, growthBytesPerMinute: growth, pod });
}
