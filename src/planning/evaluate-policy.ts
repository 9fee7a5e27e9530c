/** One policy's share of an evaluation: find the pressure on its nodes, then relieve the worst first. */
import type { Cluster, ClusterNode } from "./cluster.ts";
import type { MoveCosts } from "./cost/move-costs.ts";
import { isDue, type NodeFinding, type Outcome, type PlannedMove, type Reason, type Refusal } from "./decision.ts";
import type { Departure, MoveHistory } from "./eligibility/history.ts";
import { type Found, findPressure } from "./find-pressure.ts";
import type { Ledger } from "./ledger.ts";
import { compareText } from "./order.ts";
import type { Ownership } from "./ownership.ts";
import { withinTheHour } from "./pacing/moves-per-hour.ts";
import type { PacingLimits } from "./pacing/pacing.ts";
import { sortTargets, type Targets } from "./placement/choose-target.ts";
import type { FeasibilityContext } from "./placement/feasibility.ts";
import type { Policy } from "./policy.ts";
import type { PressureTracker } from "./pressure/confirmation.ts";
import { relieve } from "./relieve.ts";
import type { Gates } from "./scheduling-gate/scheduling-gate.ts";
import type { PodSnapshot } from "./snapshot.ts";
import type { Rounds } from "./timing.ts";
import type { View } from "./view.ts";

/** What all policies share while they are evaluated; `ledger`, `moves` and `refusals` grow. */
export interface Shared {
  cluster: Cluster;
  ledger: Ledger;
  history: MoveHistory;
  /** Learnt from the moves on record. */
  costs: MoveCosts;
  tracker: PressureTracker;
  gates: Gates;
  ownership: Ownership;
  viewFor(policy: Policy): View;
  moves: PlannedMove[];
  refusals: Refusal[];
}

interface Watched extends Found {
  node: ClusterNode;
  /** Enough evaluations have seen its pressure. */
  confirmed: boolean;
}

/** What is decided about a pressured node. */
type Verdict = Reason & { outcome: Outcome };

/** The policy's nodes, the most pressed first. What is decided is entered into `shared`. */
export function evaluatePolicy(policy: Policy, shared: Shared, due: boolean): NodeFinding[] {
  const watched = shared.cluster.nodes
    .filter(({ snapshot }) => policy.watchesNode(snapshot))
    .map((node) => confirm(policy, { node, ...findPressure(policy, node, shared) }, shared.tracker, due));
  const pressured = watched.filter(({ finding }) => finding.pressureBytes > 0).sort(worstFirst);
  const calm = watched.filter(({ finding }) => !(finding.pressureBytes > 0));
  const verdicts = pressured.length > 0 ? decide(policy, watched, pressured, shared, due) : [];
  return [
    ...pressured.map(({ finding }, index) => ({ ...finding, ...verdicts[index] })),
    ...calm.map(({ finding }) => finding),
  ];
}

function confirm(policy: Policy, found: Omit<Watched, "confirmed">, tracker: PressureTracker, due: boolean): Watched {
  const { name, pressureBytes } = found.finding;
  if (due) return { ...found, confirmed: tracker.note(policy, name, pressureBytes > 0) };
  tracker.keep(policy, name);
  return { ...found, confirmed: false };
}

function worstFirst(a: Watched, b: Watched): number {
  const part = ({ finding }: Watched) => finding.pressureBytes / finding.capacityBytes;
  return part(b) - part(a) || compareText(a.finding.name, b.finding.name);
}

/** One verdict for each pressured node, in their order. */
function decide(
  policy: Policy,
  watched: readonly Watched[],
  pressured: readonly Watched[],
  shared: Shared,
  due: boolean,
): Verdict[] {
  if (!due) return pressured.map(({ finding }) => waiting(finding, NOT_DUE));
  const { cluster, costs } = shared;
  const dueNow = () => shared.moves.filter((move) => isDue(move, cluster.nowMs)).length;
  const input = { nowMs: cluster.nowMs, moves: cluster.moves, planned: dueNow(), costs };
  const answer = withinTheHour(policy, input);
  if (!answer.ok) return pressured.map(({ finding }) => waiting(finding, answer));
  const context = feasibilityContext(policy, shared, answer);
  const targets = sortTargets(
    watched.map(({ node }) => node),
    context,
  );
  shared.refusals.push(...targets.closed.map((closed) => ({ policy: policy.name, ...closed })));
  const allowed = dueNow() + Math.min(policy.maxMovesPerEvaluation, answer.mostMoves ?? Number.POSITIVE_INFINITY);
  return pressured.map((one) => {
    if (!one.confirmed) return waiting(one.finding, notConfirmed(policy));
    if (one.doubtful) return waiting(one.finding, TOO_LITTLE_HISTORY);
    return decideNode(policy, one, { targets, context, limits: answer, budget: allowed - dueNow() }, shared);
  });
}

function notConfirmed({ confirmation: { needed, of } }: Policy): Reason {
  return { reason: "NotConfirmed", message: `not found short in ${needed} of the last ${of} evaluations` };
}

const TOO_LITTLE_HISTORY: Reason = {
  reason: "TooLittleHistory",
  message: "so much is feared only because little is known yet: nothing is moved because of that",
};

const NOT_DUE: Reason = { reason: "NotDue", message: "this policy is evaluated later" };

const waiting = (finding: NodeFinding, { reason, message }: Reason): Verdict => ({
  outcome: "Waiting",
  reason,
  message: `${finding.message}; ${message}`,
});

function decideNode(
  policy: Policy,
  { node, finding }: Watched,
  room: { targets: Targets; context: FeasibilityContext; limits: PacingLimits; budget: number },
  shared: Shared,
): Verdict {
  const leavingBytes = shared.ledger.at(finding.name).outgoingBytes;
  if (leavingBytes >= finding.pressureBytes) {
    return waiting(finding, { reason: "ReliefUnderWay", message: "moves under way will relieve it" });
  }
  const { outgoingPods } = shared.ledger.at(finding.name);
  const { mostPerNode = Number.POSITIVE_INFINITY } = room.context;
  if (outgoingPods >= mostPerNode) {
    return waiting(finding, { reason: "MovesPerNode", message: `${outgoingPods} moves from it are under way` });
  }
  const { moves, refusals, ...verdict } = relieve({
    policy,
    node,
    pods: shared.ownership.owned(policy, node),
    amountBytes: finding.pressureBytes - leavingBytes,
    pressure: finding.message,
    history: shared.history,
    costs: shared.costs,
    targets: room.targets,
    context: room.context,
    freeBytes: finding.freeBytes ?? 0,
    budget: Math.min(room.budget, mostPerNode - outgoingPods),
    mostFromNode: mostPerNode - outgoingPods,
    rounds: roundsOf(policy, room.limits),
    ...(finding.deadlineMs !== undefined && { deadlineMs: finding.deadlineMs }),
  });
  shared.moves.push(...moves);
  shared.refusals.push(...refusals);
  return verdict;
}

/** The next round is noticed by the evaluation after the pause. */
function roundsOf(policy: Policy, { mostPerNode, pauseSeconds = 0 }: PacingLimits): Rounds {
  const gapSeconds = pauseSeconds + policy.evaluationIntervalSeconds;
  return { atOnce: mostPerNode ?? policy.maxMovesPerEvaluation, gapSeconds };
}

function feasibilityContext(policy: Policy, shared: Shared, { mostPerNode }: PacingLimits): FeasibilityContext {
  return {
    view: shared.viewFor(policy),
    ledger: shared.ledger,
    freeBelow: policy.freeBelow,
    margin: policy.margin,
    aheadMinutes: policy.pressure.aheadMinutes,
    ...(mostPerNode === undefined ? {} : { mostPerNode }),
    justLeft: justLeft(shared, policy.noReturnSeconds),
    isGated: (node) => shared.gates.isGated(node, policy),
  };
}

function justLeft({ history, cluster }: Shared, seconds: number): (pod: PodSnapshot) => ReadonlySet<string> {
  const isRecent = ({ atMs }: Departure) => cluster.nowMs - (atMs ?? cluster.nowMs) < seconds * 1000;
  return (pod) =>
    new Set(
      history
        .departures(pod)
        .filter(isRecent)
        .map(({ node }) => node),
    );
}
