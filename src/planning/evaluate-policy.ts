/** One policy's share of an evaluation: find the pressure on its nodes, then relieve the worst first. */
import { amountBytes } from "../api/quantity.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import type { NodeFinding, Outcome, PlannedMove, Reason, Refusal } from "./decision.ts";
import type { Departure, MoveHistory } from "./eligibility/history.ts";
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
import type { View } from "./view.ts";

/** What all policies share while they are evaluated; `ledger`, `moves` and `refusals` grow. */
export interface Shared {
  cluster: Cluster;
  ledger: Ledger;
  history: MoveHistory;
  tracker: PressureTracker;
  gates: Gates;
  ownership: Ownership;
  viewFor(policy: Policy): View;
  moves: PlannedMove[];
  refusals: Refusal[];
}

interface Watched {
  node: ClusterNode;
  /** Before anything is decided about it. */
  finding: NodeFinding;
  /** Enough evaluations have seen its pressure. */
  confirmed: boolean;
}

/** What is decided about a pressured node. */
type Verdict = Reason & { outcome: Outcome };

/** The policy's nodes, the most pressed first. What is decided is entered into `shared`. */
export function evaluatePolicy(policy: Policy, shared: Shared, due: boolean): NodeFinding[] {
  const watched = shared.cluster.nodes
    .filter(({ snapshot }) => policy.watchesNode(snapshot))
    .map((node) => confirm(policy, { node, finding: find(policy, node, shared) }, shared.tracker, due));
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

/** Pressure, or why nothing can be said of the node: nothing is ever moved because of figures that cannot be relied on. */
function find(policy: Policy, node: ClusterNode, shared: Shared): NodeFinding {
  const { name, capacityBytes } = node.snapshot;
  // An absurd capacity has been told by nodeUse; it is not handed on.
  const toldBytes = capacityBytes > 0 && Number.isFinite(capacityBytes) ? capacityBytes : 0;
  const common = { name, policy: policy.name, capacityBytes: toldBytes, outcome: "NothingToDo" as const };
  const use = shared.viewFor(policy).nodeUse(node);
  if (!use.ok) {
    return { ...common, freeBytes: undefined, pressureBytes: 0, reason: use.reason, message: use.message };
  }
  const usedBytes = Math.min(use.usedBytes, capacityBytes);
  const freeBelowBytes = amountBytes(policy.freeBelow, capacityBytes);
  const freeUntilBytes = Math.max(freeBelowBytes, amountBytes(policy.freeUntil ?? policy.freeBelow, capacityBytes));
  const nowMs = shared.cluster.nowMs;
  const growth = () => shared.viewFor(policy).nodeGrowth(node);
  const input = { name, capacityBytes, usedBytes, nowMs, growth };
  const entering = policy.pressure.judge({ ...input, freeBelowBytes });
  const short = entering.pressureBytes > 0 || shared.tracker.isRelieving(policy, name);
  const pressure = short ? policy.pressure.judge({ ...input, freeBelowBytes: freeUntilBytes }) : entering;
  const { pressureBytes } = pressure;
  const freeBytes = capacityBytes - usedBytes;
  const looked = pressureBytes > 0 || policy.pressure.aheadMinutes > 0;
  const exhausted = looked ? exhaustion(freeBytes, growth().perMinute, nowMs) : {};
  const reason = pressureBytes > 0 ? "Pressured" : "EnoughFree";
  const message = use.estimated ? `${pressure.message} (estimated: its pods together)` : pressure.message;
  return { ...common, freeBytes, pressureBytes, ...exhausted, reason, message };
}

/** Further ahead than this nobody can say. */
const FARTHEST_MS = 366 * 24 * 3_600_000;

/** When nothing is free any more, growing on like this. */
function exhaustion(freeBytes: number, growthPerMinute: number, nowMs: number): { exhaustedAtMs?: number } {
  const leftMs = growthPerMinute > 0 ? (freeBytes / growthPerMinute) * 60_000 : Number.POSITIVE_INFINITY;
  return leftMs <= FARTHEST_MS ? { exhaustedAtMs: nowMs + Math.round(leftMs) } : {};
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
  const { cluster, moves } = shared;
  const answer = withinTheHour(policy, { nowMs: cluster.nowMs, moves: cluster.moves, planned: moves.length });
  if (!answer.ok) return pressured.map(({ finding }) => waiting(finding, answer));
  const context = feasibilityContext(policy, shared, answer);
  const targets = sortTargets(
    watched.map(({ node }) => node),
    context,
  );
  shared.refusals.push(...targets.closed.map((closed) => ({ policy: policy.name, ...closed })));
  const allowed = moves.length + Math.min(policy.maxMovesPerEvaluation, answer.mostMoves ?? Number.POSITIVE_INFINITY);
  return pressured.map((one) => {
    if (!one.confirmed) return waiting(one.finding, notConfirmed(policy));
    return decideNode(policy, one, { targets, context, budget: allowed - moves.length }, shared);
  });
}

function notConfirmed({ confirmation: { needed, of } }: Policy): Reason {
  return { reason: "NotConfirmed", message: `not found short in ${needed} of the last ${of} evaluations` };
}

const NOT_DUE: Reason = { reason: "NotDue", message: "this policy is evaluated later" };

const waiting = (finding: NodeFinding, { reason, message }: Reason): Verdict => ({
  outcome: "Waiting",
  reason,
  message: `${finding.message}; ${message}`,
});

function decideNode(
  policy: Policy,
  { node, finding }: Watched,
  room: { targets: Targets; context: FeasibilityContext; budget: number },
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
    ...room,
    freeBytes: finding.freeBytes ?? 0,
    budget: Math.min(room.budget, mostPerNode - outgoingPods),
  });
  shared.moves.push(...moves);
  shared.refusals.push(...refusals);
  return verdict;
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
