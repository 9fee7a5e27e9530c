/** What a pressured node asks for: so much to be freed, by then, by the moves of these pods. */
import type { ClusterNode } from "../cluster.ts";
import type { MoveCosts } from "../cost/move-costs.ts";
import type { Weigh } from "../cost/weighed-cost.ts";
import type { Reason, Refusal } from "../decision.ts";
import { ineligible } from "../eligibility/eligibility.ts";
import type { MoveHistory } from "../eligibility/history.ts";
import { compareText } from "../order.ts";
import type { Targets } from "../placement/choose-target.ts";
import type { FeasibilityContext } from "../placement/feasibility.ts";
import type { Policy } from "../policy.ts";
import type { Candidate, JointShare } from "../selection/selection.ts";
import type { PodSnapshot } from "../snapshot.ts";
import type { View } from "../view.ts";

export interface Demand {
  policy: Policy;
  node: ClusterNode;
  /** Pods on the node that belong to the policy. */
  pods: readonly PodSnapshot[];
  /** What is still to be freed; positive. */
  amountBytes: number;
  /** When moves must have ended; absent: they start now. Milliseconds since the epoch. */
  deadlineMs?: number;
  pressure: string;
  /** Free on the node now. */
  freeBytes: number;
  targets: Targets;
  context: FeasibilityContext;
  history: MoveHistory;
  costs: MoveCosts;
  /** What moving a pod costs, for policies that weigh moves. */
  weigh: Weigh;
  /** The node's part of a joint plan. */
  share?: JointShare;
}

export function refusalOf({ policy, node }: Demand, pod: PodSnapshot, reason: Reason & { node?: string }): Refusal {
  return { policy: policy.name, from: node.snapshot.name, namespace: pod.namespace, pod: pod.name, ...reason };
}

/** Pods that may move at all, biggest first, among equals by namespace, name and UID; why the others may not is added to `refusals`. */
export function eligiblePods(demand: Demand, refusals?: Refusal[]): Candidate[] {
  const { policy, node, pods, context, history, deadlineMs } = demand;
  const eligible: Candidate[] = [];
  for (const pod of pods) {
    const use = context.view.podUse(pod);
    const nowMs = context.view.cluster.nowMs;
    const limits = policy.eligibility;
    const asked = { pod, node: node.snapshot, use, limits, history, nowMs };
    const reason = ineligible({ ...asked, ...(deadlineMs !== undefined && { deadlineMs }) });
    if (reason !== undefined) refusals?.push(refusalOf(demand, pod, reason));
    else if (use.ok && use.usedBytes > 0) eligible.push(weighed(demand, candidate(demand, pod, use.usedBytes)));
    else refusals?.push(refusalOf(demand, pod, { reason: "NoMemory", message: "it uses no memory" }));
  }
  return eligible.sort(compareCandidates);
}

function candidate({ context: { view }, deadlineMs }: Demand, pod: PodSnapshot, bytes: number): Candidate {
  const known = view.foresight?.pod(pod);
  if (view.foresight === undefined || known === undefined) {
    const sizes = { reliefBytes: bytes, grownBytes: bytes };
    return withGrowth(view, { pod, bytes, ...sizes });
  }
  const leftSeconds = Math.max(0, ((deadlineMs ?? view.cluster.nowMs) - view.cluster.nowMs) / 1000);
  const { horizonSeconds } = view.foresight.settings;
  return withGrowth(view, {
    pod,
    bytes,
    // What is foreseen of the node holds what is foreseen of the pod: less than now where it shrinks.
    reliefBytes: Math.max(1, known.point(horizonSeconds)),
    grownBytes: Math.max(bytes, known.point(leftSeconds)),
  });
}

/** Growth is worked out when it is read: few strategies ask for that of every candidate. */
function withGrowth(view: View, candidate: Omit<Candidate, "growthBytesPerMinute">): Candidate {
  return {
    ...candidate,
    get growthBytesPerMinute() {
      return view.podGrowth(candidate.pod);
    },
  };
}

function weighed({ policy, weigh }: Demand, candidate: Candidate): Candidate {
  const { weighing } = policy.select;
  return weighing === undefined
    ? candidate
    : { ...candidate, cost: weigh(candidate.pod, candidate.grownBytes, weighing) };
}

function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    b.bytes - a.bytes ||
    compareText(a.pod.namespace, b.pod.namespace) ||
    compareText(a.pod.name, b.pod.name) ||
    compareText(a.pod.uid, b.pod.uid)
  );
}
