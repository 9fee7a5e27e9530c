/** Relieves one pressured node: eligible pods → those with a target → selection → placement, until it is enough. */
import { formatBytes } from "../api/quantity.ts";
import type { ClusterNode } from "./cluster.ts";
import type { Outcome, PlannedMove, Reason, Refusal } from "./decision.ts";
import { ineligible } from "./eligibility/eligibility.ts";
import type { MoveHistory } from "./eligibility/history.ts";
import { predictedSeconds } from "./move-duration.ts";
import { compareText } from "./order.ts";
import { bestTarget, hasTarget, type Targets, targetRefusals } from "./placement/choose-target.ts";
import { asTarget, type FeasibilityContext, type OpenNode } from "./placement/feasibility.ts";
import type { Policy } from "./policy.ts";
import type { Candidate } from "./selection/selection.ts";
import type { PodSnapshot } from "./snapshot.ts";

export interface ReliefInput {
  policy: Policy;
  node: ClusterNode;
  /** Pods on the node that belong to the policy. */
  pods: readonly PodSnapshot[];
  /** What is still to be freed; positive. */
  amountBytes: number;
  pressure: string;
  /** Free on the node now. */
  freeBytes: number;
  targets: Targets;
  context: FeasibilityContext;
  history: MoveHistory;
  /** Moves that this policy may still start in this evaluation. */
  budget: number;
}

export interface Relief extends Reason {
  outcome: Outcome;
  moves: PlannedMove[];
  refusals: Refusal[];
}

/** Targets told of for one pod that has none. */
const MAX_TARGET_REFUSALS = 10;

export function relieve(input: ReliefInput): Relief {
  const refusals: Refusal[] = [];
  const eligible = eligiblePods(input, refusals);
  if (eligible.length === 0) {
    return none(input, refusals, "NothingToDo", "NothingEligible", "no pod on it may be moved");
  }
  const placeable = withTarget(input, eligible);
  refuseUnplaceable(input, eligible, placeable, refusals);
  if (placeable.length === 0 && withTarget(unpaced(input), eligible).length > 0) {
    const message = "as many moves to the nodes with room are under way as may be at once";
    return none(input, refusals, "Waiting", "MovesPerNode", message);
  }
  if (placeable.length === 0) {
    return none(input, refusals, "NodesFull", "NodesFull", "no other node has room for any of its pods");
  }
  if (input.budget < 1) {
    const message = `this policy starts at most ${input.policy.maxMovesPerEvaluation} in one evaluation`;
    return none(input, refusals, "Waiting", "MovesPerEvaluation", message);
  }
  return place(input, eligible, placeable, refusals);
}

/** As if any number of moves to a node were admitted. */
function unpaced(input: ReliefInput): ReliefInput {
  const { mostPerNode: _, ...context } = input.context;
  return { ...input, context };
}

function none(input: ReliefInput, refusals: Refusal[], outcome: Outcome, reason: string, message: string): Relief {
  return { outcome, moves: [], refusals, reason, message: `${input.pressure}; ${message}` };
}

function refusal({ policy, node }: ReliefInput, pod: PodSnapshot, reason: Reason & { node?: string }): Refusal {
  return { policy: policy.name, from: node.snapshot.name, namespace: pod.namespace, pod: pod.name, ...reason };
}

/** Biggest first; among equals by namespace, name and UID. */
function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    b.bytes - a.bytes ||
    compareText(a.pod.namespace, b.pod.namespace) ||
    compareText(a.pod.name, b.pod.name) ||
    compareText(a.pod.uid, b.pod.uid)
  );
}

function eligiblePods(input: ReliefInput, refusals: Refusal[]): Candidate[] {
  const { policy, pods, context, history } = input;
  const eligible: Candidate[] = [];
  for (const pod of pods) {
    const use = context.view.podUse(pod);
    const nowMs = context.view.cluster.nowMs;
    const reason = ineligible({ pod, use, limits: policy.eligibility, history, nowMs });
    if (reason !== undefined) refusals.push(refusal(input, pod, reason));
    else if (use.ok && use.usedBytes > 0) {
      eligible.push({ pod, bytes: use.usedBytes, growthBytesPerMinute: context.view.podGrowth(pod) });
    } else refusals.push(refusal(input, pod, { reason: "NoMemory", message: "it uses no memory" }));
  }
  return eligible.sort(compareCandidates);
}

const target = ({ targets, context, policy }: ReliefInput, { pod, bytes }: Candidate) =>
  bestTarget(pod, bytes, targets, context, policy.score);

function withTarget({ targets, context }: ReliefInput, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ pod, bytes }) => hasTarget(pod, bytes, targets, context));
}

function refuseUnplaceable(
  input: ReliefInput,
  candidates: readonly Candidate[],
  placeable: readonly Candidate[],
  refusals: Refusal[],
): void {
  const placed = new Set(placeable);
  for (const { pod, bytes } of candidates.filter((candidate) => !placed.has(candidate))) {
    refusals.push(refusal(input, pod, { reason: "NoTarget", message: "no node has room for it" }));
    for (const reason of targetRefusals(pod, bytes, input.targets, input.context, MAX_TARGET_REFUSALS)) {
      refusals.push(refusal(input, pod, reason));
    }
  }
}

/**
 * Every round places at least the first pod selected, for each candidate has a target; the others may lose theirs to it, and
 * are then left out of the next round's selection.
 */
function place(
  input: ReliefInput,
  eligible: readonly Candidate[],
  placeable: Candidate[],
  refusals: Refusal[],
): Relief {
  const moves: PlannedMove[] = [];
  let left = placeable;
  let missing = input.amountBytes;
  while (missing > 0 && moves.length < input.budget && left.length > 0) {
    const round = placeSelected(input, left, missing, input.budget - moves.length);
    if (round.length === 0) break;
    moves.push(...round.map(({ move }) => move));
    missing -= round.reduce((sum, { candidate }) => sum + candidate.bytes, 0);
    const moved = new Set(round.map(({ candidate }) => candidate));
    left = withTarget(
      input,
      left.filter((candidate) => !moved.has(candidate)),
    );
  }
  refuseUnplaceable(
    input,
    placeable.filter((one) => !isMoved(moves, one)),
    left,
    refusals,
  );
  refusals.push(...left.map(({ pod }) => refusal(input, pod, notSelected(moves.length))));
  if (moves.length === 0) return noneSelected(input, eligible, refusals);
  return { outcome: "Moves", moves, refusals, reason: "PodsSelected", message: `${input.pressure}; ${summary(moves)}` };
}

/** When the pods that would be chosen are just those without a target, it is room that is missing. */
function noneSelected(input: ReliefInput, eligible: readonly Candidate[], refusals: Refusal[]): Relief {
  if (input.policy.select(eligible, input.amountBytes, input).length > 0) {
    return none(input, refusals, "NodesFull", "NodesFull", "no other node has room for the pods that should move");
  }
  const message = "the selection strategy chooses none of its pods that may be moved";
  return none(input, refusals, "NothingToDo", "NothingSelected", message);
}

const isMoved = (moves: readonly PlannedMove[], { pod }: Candidate) => moves.some((move) => move.podUID === pod.uid);
const summary = (moves: readonly PlannedMove[]) =>
  moves.length === 1 ? `${moves[0]?.pod} goes to ${moves[0]?.to}` : `${moves.length} pods are moved`;
const notSelected = (moved: number): Reason => ({
  reason: "NotSelected",
  message: moved > 0 ? "other pods were selected" : "the selection strategy chose none",
});

interface Placed {
  candidate: Candidate;
  move: PlannedMove;
}

function placeSelected(
  input: ReliefInput,
  candidates: readonly Candidate[],
  missing: number,
  budget: number,
): Placed[] {
  const placed: Placed[] = [];
  for (const candidate of input.policy.select(candidates, missing, input)) {
    if (placed.length >= budget) break;
    const open = target(input, candidate);
    if (open === undefined) continue;
    const { pod, bytes, growthBytesPerMinute } = candidate;
    const [from, to] = [pod.node, open.node.snapshot.name];
    placed.push({ candidate, move: plannedMove(input, candidate, open) });
    input.context.ledger.reserve({ from, to, bytes, requestBytes: pod.requestBytes, growthBytesPerMinute });
  }
  return placed;
}

function plannedMove(input: ReliefInput, { pod, bytes }: Candidate, open: OpenNode): PlannedMove {
  const to = open.node.snapshot.name;
  const freeAfter = asTarget(open, input.context.ledger).freeBytes - bytes;
  return {
    namespace: pod.namespace,
    pod: pod.name,
    podUID: pod.uid,
    lineage: pod.lineage,
    from: pod.node,
    to,
    bytes,
    policy: input.policy.name,
    startAtMs: input.context.view.cluster.nowMs,
    expectedSeconds: predictedSeconds(bytes),
    reason: "NodeShortOfMemory",
    message: `${pod.node}: ${input.pressure}; ${pod.name} uses ${formatBytes(bytes)}, and ${to} keeps ${formatBytes(freeAfter)} free`,
  };
}
