/**
 * The decision: which pods to move where, which nodes to gate, and why. Pure: the same snapshot and policies give the same
 * answer everywhere, whatever the order in which they are listed. All policies are evaluated together, against the same
 * reservations.
 */
import { indexCluster } from "./cluster.ts";
import { learnMoveCosts } from "./cost/move-costs.ts";
import { weighMoves } from "./cost/weighed-cost.ts";
import {
  type Decision,
  type Evaluation,
  foremost,
  MAX_REFUSALS,
  type NodeFinding,
  type PolicyFinding,
  type Refusal,
} from "./decision.ts";
import { moveHistory } from "./eligibility/history.ts";
import { evaluatePolicy } from "./evaluate-policy.ts";
import { openCalibrations } from "./foresight/calibrations.ts";
import { interruptions } from "./foresight/interruptions.ts";
import { KeptFits } from "./foresight/kept-fits.ts";
import { openJointPlans } from "./joint-plans.ts";
import { openLedger } from "./ledger.ts";
import { type Ownership, ownPods } from "./ownership.ts";
import { inOrder, type Policy } from "./policy.ts";
import { trackPressure } from "./pressure/confirmation.ts";
import { decideGates } from "./scheduling-gate/scheduling-gate.ts";
import type { ClusterSnapshot, PlanningMemory } from "./snapshot.ts";
import { type Shared, takeTurn } from "./turn.ts";
import { type ForecastInput, viewCluster } from "./view.ts";

export interface EvaluateOptions {
  /** Policies whose turn it is not keep their pods, gates and findings, but plan nothing. Absent: all are due. */
  isDue?: (policy: Policy) => boolean;
  /** False: the same decision, but of what was passed over nobody is told why. */
  refusals?: boolean;
  /** As the last evaluation left them: saves time, and nothing else. */
  fits?: KeptFits;
}

export function evaluate(
  snapshot: ClusterSnapshot,
  policies: readonly Policy[],
  { isDue = () => true, refusals = true, fits = new KeptFits() }: EvaluateOptions = {},
): Evaluation {
  const ordered = inOrder(policies);
  const calibrations = openCalibrations(snapshot.memory?.forecasts);
  const shared: Shared = { ...prepare(snapshot, ordered, { calibrations, fits }), ...(refusals && { refusals: [] }) };
  const turns = ordered.map((policy) => takeTurn(policy, shared, isDue(policy)));
  const joint = openJointPlans(turns, shared);
  const findings = turns.map((turn) => ({ policy: turn.policy, nodes: evaluatePolicy(turn, shared, joint) }));
  const nodes = findings.flatMap((finding) => finding.nodes);
  const decision: Decision = {
    timeMs: snapshot.timeMs,
    outcome: foremost(nodes.map((node) => node.outcome)),
    moves: shared.moves.toSorted((a, b) => a.startAtMs - b.startAtMs),
    nodes,
    gates: shared.gates.decisions,
    ...bounded(shared.refusals ?? []),
    policies: findings.map((finding) => policyFinding(finding.policy, finding.nodes, shared.ownership)),
  };
  const owners = ordered.flatMap(({ source, pressure: { forecast } }) => (forecast ? [{ source, ...forecast }] : []));
  fits.prune(shared.cluster, owners);
  return { decision, memory: remember(shared, calibrations.memory(shared.cluster, owners)) };
}

function remember({ gates, tracker }: Shared, forecasts: PlanningMemory["forecasts"]): PlanningMemory {
  return { version: 1, gates: gates.memory, ...tracker.memory(), ...(forecasts && { forecasts }) };
}

function bounded(refusals: readonly Refusal[]): Pick<Decision, "refusals" | "refusalsLeftOut"> {
  return {
    refusals: refusals.slice(0, MAX_REFUSALS),
    refusalsLeftOut: Math.max(0, refusals.length - MAX_REFUSALS),
  };
}

type Kept = Pick<ForecastInput, "calibrations" | "fits">;

function prepare(snapshot: ClusterSnapshot, policies: readonly Policy[], kept: Kept): Shared {
  const cluster = indexCluster(snapshot);
  // For them every move on record is looked at: only where somebody forecasts.
  const forecasting = policies.some(({ pressure }) => pressure.forecast !== undefined);
  const forecasts = forecasting ? { ...kept, interruptions: interruptions(cluster) } : undefined;
  const view = (policy: Policy) => viewCluster(cluster, policy, forecasts);
  const views = new Map(policies.map((policy) => [policy, view(policy)]));
  const viewFor = (policy: Policy) => views.get(policy) ?? view(policy);
  return {
    cluster,
    ledger: openLedger(cluster),
    history: moveHistory(cluster),
    costs: learnMoveCosts(snapshot.moves),
    weigh: weighMoves(snapshot.moves, snapshot.timeMs),
    tracker: trackPressure(snapshot.memory),
    gates: decideGates(cluster, policies, viewFor),
    ownership: ownPods(cluster, policies),
    viewFor,
    moves: [],
    taken: [],
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
