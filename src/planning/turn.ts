/** A policy's turn: its nodes as they are found, what they have in common when they are decided about, and what each asks for. */
import type { Cluster, ClusterNode } from "./cluster.ts";
import type { MoveCosts } from "./cost/move-costs.ts";
import type { Weigh } from "./cost/weighed-cost.ts";
import { isDue, type PlannedMove, type Reason, type Refusal } from "./decision.ts";
import type { Departure, MoveHistory } from "./eligibility/history.ts";
import { type Found, findPressure } from "./find-pressure.ts";
import type { Ledger } from "./ledger.ts";
import { compareText } from "./order.ts";
import type { Ownership } from "./ownership.ts";
import { withinTheHour } from "./pacing/moves-per-hour.ts";
import { withinTheNode } from "./pacing/moves-per-node.ts";
import type { PacingLimits } from "./pacing/pacing.ts";
import { sortTargets, type Targets } from "./placement/choose-target.ts";
import type { FeasibilityContext } from "./placement/feasibility.ts";
import type { Policy } from "./policy.ts";
import type { PressureTracker } from "./pressure/confirmation.ts";
import type { Demand } from "./relief/demand.ts";
import type { Span } from "./relief/timing.ts";
import type { Gates } from "./scheduling-gate/scheduling-gate.ts";
import type { PodSnapshot } from "./snapshot.ts";
import type { View } from "./view.ts";

/** What all policies share while they are evaluated; `ledger`, `moves` and `refusals` grow. */
export interface Shared {
  cluster: Cluster;
  ledger: Ledger;
  history: MoveHistory;
  /** Learnt from the moves on record. */
  costs: MoveCosts;
  weigh: Weigh;
  tracker: PressureTracker;
  gates: Gates;
  ownership: Ownership;
  viewFor(policy: Policy): View;
  moves: PlannedMove[];
  /** When planned moves are under way at most. */
  taken: Span[];
  /** Absent: nobody asks for them. */
  refusals?: Refusal[];
}

export interface Watched extends Found {
  node: ClusterNode;
  /** Enough evaluations have seen its pressure. */
  confirmed: boolean;
}

/** A policy's turn: its nodes as they are found. */
export interface Turn {
  policy: Policy;
  /** Otherwise its findings are told, and nothing is planned. */
  due: boolean;
  /** The most pressed first, then those that are not, by name. */
  watched: readonly Watched[];
}

export function takeTurn(policy: Policy, shared: Shared, due: boolean): Turn {
  const watched = shared.cluster.nodes
    .filter(({ snapshot }) => policy.watchesNode(snapshot))
    .map((node) => confirm(policy, { node, ...findPressure(policy, node, shared) }, shared.tracker, due));
  const calm = watched.filter((one) => !isPressured(one));
  return { policy, due, watched: [...watched.filter(isPressured).sort(worstFirst), ...calm] };
}

export const isPressured = ({ finding }: Watched) => finding.pressureBytes > 0;

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

/** What all nodes of a policy have in common when they are decided about. */
export interface OpenTurn {
  targets: Targets;
  context: FeasibilityContext;
  limits: PacingLimits;
  /** Moves due now, everyone's, when the policy has started all that it may. */
  allowed: number;
}

export const dueNow = ({ moves, cluster }: Shared) => moves.filter((move) => isDue(move, cluster.nowMs)).length;

/** Or why the policy plans nothing now. */
export function openTurn({ policy, due, watched }: Turn, shared: Shared): Answer<OpenTurn> {
  if (!due) return { ok: false, ...NOT_DUE };
  const { cluster, costs } = shared;
  const planned = dueNow(shared);
  const input = { nowMs: cluster.nowMs, moves: cluster.moves, planned, costs };
  const answer = withinTheNode(withinTheHour(policy, input), policy);
  if (!answer.ok) return answer;
  const context = feasibilityContext(policy, shared, answer);
  const nodes = watched.map(({ node }) => node).sort((a, b) => compareText(a.snapshot.name, b.snapshot.name));
  const allowed = planned + Math.min(policy.maxMovesPerEvaluation, answer.mostMoves ?? Number.POSITIVE_INFINITY);
  return { ok: true, targets: sortTargets(nodes, context), context, limits: answer, allowed };
}

type Answer<T> = ({ ok: true } & T) | ({ ok: false } & Reason);

function notConfirmed({ confirmation: { needed, of } }: Policy): Reason {
  return { reason: "NotConfirmed", message: `not found short in ${needed} of the last ${of} evaluations` };
}

const TOO_LITTLE_HISTORY: Reason = {
  reason: "TooLittleHistory",
  message: "so much is feared only because little is known yet: nothing is moved because of that",
};

const NOT_DUE: Reason = { reason: "NotDue", message: "this policy is evaluated later" };

export interface Asked {
  demand: Demand;
  /** Moves from the node that may still start. */
  mostFromNode: number;
}

/** What the node asks for now, or why it waits. */
export function demandOf({ policy }: Turn, watched: Watched, opened: OpenTurn, shared: Shared): Answer<Asked> {
  const { node, finding, neededBytes, confirmed, doubtful } = watched;
  if (!confirmed) return { ok: false, ...notConfirmed(policy) };
  if (doubtful) return { ok: false, ...TOO_LITTLE_HISTORY };
  const { outgoingBytes, outgoingPods } = shared.ledger.at(finding.name);
  if (outgoingBytes >= neededBytes) {
    return { ok: false, reason: "ReliefUnderWay", message: "moves under way will relieve it" };
  }
  const { mostPerNode = Number.POSITIVE_INFINITY } = opened.context;
  if (outgoingPods >= mostPerNode) {
    return { ok: false, reason: "MovesPerNode", message: `${outgoingPods} moves from it are under way` };
  }
  const demand: Demand = {
    policy,
    node,
    pods: shared.ownership.owned(policy, node),
    amountBytes: neededBytes - outgoingBytes,
    pressure: finding.message,
    history: shared.history,
    costs: shared.costs,
    weigh: shared.weigh,
    targets: opened.targets,
    context: opened.context,
    freeBytes: finding.freeBytes ?? 0,
    ...(finding.deadlineMs !== undefined && { deadlineMs: finding.deadlineMs }),
  };
  return { ok: true, demand, mostFromNode: mostPerNode - outgoingPods };
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
  return (pod) => {
    const departures = history.departures(pod);
    return departures.length === 0 ? NOWHERE : new Set(departures.filter(isRecent).map(({ node }) => node));
  };
}

const NOWHERE: ReadonlySet<string> = new Set();
