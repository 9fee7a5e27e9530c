/**
 * The decision: which pods to move where, which nodes to gate, and why. Pure: the same snapshot and policies give the same
 * answer everywhere, whatever the order in which they are listed. All policies are evaluated together, against the same
 * reservations.
 */
import { indexCluster } from "./cluster.ts";
import {
  type Decision,
  type Evaluation,
  foremost,
  MAX_REFUSALS,
  type NodeFinding,
  type PolicyFinding,
} from "./decision.ts";
import { moveHistory } from "./eligibility/history.ts";
import { evaluatePolicy, type Shared } from "./evaluate-policy.ts";
import { openLedger } from "./ledger.ts";
import { type Ownership, ownPods } from "./ownership.ts";
import { inOrder, type Policy } from "./policy.ts";
import { trackPressure } from "./pressure/confirmation.ts";
import { decideGates } from "./scheduling-gate/scheduling-gate.ts";
import type { ClusterSnapshot } from "./snapshot.ts";
import { viewCluster } from "./view.ts";

/**
 * `isDue`: policies whose turn it is not keep their pods, gates and findings, but plan nothing. Without it all are due.
 */
export function evaluate(
  snapshot: ClusterSnapshot,
  policies: readonly Policy[],
  isDue: (policy: Policy) => boolean = () => true,
): Evaluation {
  const ordered = inOrder(policies);
  const shared = prepare(snapshot, ordered);
  const findings = ordered.map((policy) => ({ policy, nodes: evaluatePolicy(policy, shared, isDue(policy)) }));
  const nodes = findings.flatMap((finding) => finding.nodes);
  const decision: Decision = {
    timeMs: snapshot.timeMs,
    outcome: foremost(nodes.map((node) => node.outcome)),
    moves: shared.moves,
    nodes,
    gates: shared.gates.decisions,
    refusals: shared.refusals.slice(0, MAX_REFUSALS),
    refusalsLeftOut: Math.max(0, shared.refusals.length - MAX_REFUSALS),
    policies: findings.map((finding) => policyFinding(finding.policy, finding.nodes, shared.ownership)),
  };
  return { decision, memory: { version: 1, gates: shared.gates.memory, ...shared.tracker.memory() } };
}

function prepare(snapshot: ClusterSnapshot, policies: readonly Policy[]): Shared {
  const cluster = indexCluster(snapshot);
  const views = new Map(policies.map((policy) => [policy, viewCluster(cluster, policy)]));
  const viewFor = (policy: Policy) => views.get(policy) ?? viewCluster(cluster, policy);
  return {
    cluster,
    ledger: openLedger(cluster),
    history: moveHistory(cluster),
    tracker: trackPressure(snapshot.memory),
    gates: decideGates(cluster, policies, viewFor),
    ownership: ownPods(cluster, policies),
    viewFor,
    moves: [],
    refusals: [],
  };
}

function policyFinding(policy: Policy, nodes: readonly NodeFinding[], ownership: Ownership): PolicyFinding {
  return {
    policy: policy.name,
    outcome: foremost(nodes.map((node) => node.outcome)),
    nodes: nodes.length,
    pressured: nodes.filter((node) => node.pressureBytes > 0).length,
    nodesWithoutFigures: nodes.filter((node) => node.freeBytes === undefined).length,
    ...ownership.count(policy),
  };
}
