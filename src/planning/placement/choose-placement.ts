/** Eligibility and feasibility of one move asked for by hand: the same rules as for those that a policy makes. */
import type { Amount } from "../../api/quantity.ts";
import { indexCluster } from "../cluster.ts";
import type { Reason } from "../decision.ts";
import { mayMoveAtAll } from "../eligibility/eligibility.ts";
import { openLedger } from "../ledger.ts";
import type { ClusterSnapshot, PodSnapshot } from "../snapshot.ts";
import { viewCluster } from "../view.ts";
import { bestTarget, freestFirst, sortTargets, type TargetRefusal, targetRefusals } from "./choose-target.ts";
import { closedFor, type FeasibilityContext, unfitFor } from "./feasibility.ts";
import { mostFree } from "./most-free.ts";

export interface PlacementRequest {
  /** UID of a pod in the snapshot. */
  podUID: string;
  /** Absent: the best one is chosen (MostFree). */
  targetNode?: string;
  /** Metrics source to read, where the snapshot has several. */
  source?: string;
  staleAfterSeconds?: number;
  /** What must remain free on the target; of the policy's where there is one. Default: 5% of its capacity. */
  freeBelow?: Amount;
  margin?: Amount;
  /** The pod's memory where it is known better than from the snapshot, e.g. from the agent. */
  podBytes?: number;
  /** The pod's memory-backed emptyDirs, where they are known: they are staged on the target too. Default: 0. */
  memoryFilesBytes?: number;
}

export type PlacementAnswer =
  | { ok: true; node: string; bytes: number; considered: TargetRefusal[] }
  | ({ ok: false; considered: TargetRefusal[] } & Reason);

const MAX_CONSIDERED = 20;

/**
 * The node to move the pod to, or why there is none. `considered`: nodes that were passed over, at most 20. A pod without a
 * figure that can be relied on is refused, for nobody can tell the room it needs.
 */
export function choosePlacement(snapshot: ClusterSnapshot, request: PlacementRequest): PlacementAnswer {
  const cluster = indexCluster(snapshot);
  const pod = cluster.pod(request.podUID);
  const refused = (reason: Reason): PlacementAnswer => ({ ok: false, considered: [], ...reason });
  if (pod === undefined) return refused({ reason: "PodNotFound", message: "there is no such running pod" });
  const never = mayMoveAtAll(pod);
  if (never !== undefined) return refused(never);
  const view = viewCluster(cluster, {
    source: request.source ?? Object.keys(snapshot.sources ?? {})[0] ?? "",
    staleAfterSeconds: request.staleAfterSeconds ?? 90,
  });
  const use = view.podUse(pod);
  const bytes = request.podBytes ?? (use.ok ? use.usedBytes : undefined);
  if (bytes === undefined) return refused(use.ok ? { reason: "MetricsMissing", message: "no figure" } : use);
  const context: FeasibilityContext = {
    view,
    ledger: openLedger(cluster, pod.uid),
    ...(request.memoryFilesBytes === undefined ? {} : { memoryFilesBytes: request.memoryFilesBytes }),
    freeBelow: request.freeBelow ?? { bytes: 0 },
    margin: request.margin ?? { fraction: 0.05 },
    isGated: () => false,
  };
  return request.targetNode === undefined
    ? choose(pod, bytes, context)
    : check(pod, bytes, request.targetNode, context);
}

function choose(pod: PodSnapshot, bytes: number, context: FeasibilityContext): PlacementAnswer {
  const targets = sortTargets(context.view.cluster.nodes, context);
  const closed = targets.closed.filter(({ node }) => node !== pod.node);
  const unfit = targetRefusals(pod, bytes, freestFirst(targets, context), context, MAX_CONSIDERED);
  const considered = [...unfit, ...closed].slice(0, MAX_CONSIDERED);
  const best = bestTarget(pod, bytes, targets, context, mostFree.configure({}));
  if (best !== undefined) return { ok: true, node: best.node.snapshot.name, bytes, considered };
  return { ok: false, reason: "NodesFull", message: `no node has room for it${firstReason(considered)}`, considered };
}

const firstReason = ([first]: readonly TargetRefusal[]) => (first ? `: ${first.node}: ${first.message}` : "");

function check(pod: PodSnapshot, bytes: number, name: string, context: FeasibilityContext): PlacementAnswer {
  const node = context.view.cluster.node(name);
  const refused = ({ reason, message }: Reason): PlacementAnswer => ({
    ok: false,
    considered: [{ node: name, reason, message }],
    reason,
    message,
  });
  if (node === undefined) return refused({ reason: "NodeNotFound", message: `there is no node ${name}` });
  if (name === pod.node) return refused({ reason: "SameNode", message: `the pod runs on ${name} already` });
  const use = context.view.nodeUse(node);
  const reason = closedFor(node, context);
  if (reason !== undefined) return refused(reason);
  const unfit = unfitFor(pod, bytes, { node, usedBytes: use.ok ? use.usedBytes : Number.POSITIVE_INFINITY }, context);
  return unfit === undefined ? { ok: true, node: name, bytes, considered: [] } : refused(unfit);
}
