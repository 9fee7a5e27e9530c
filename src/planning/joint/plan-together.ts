/** Plans the short nodes of several policies together, and says of each which pods leave it and what room is kept for them. */

import { bestTarget } from "../placement/choose-target.ts";
import { asTarget, type OpenNode, unfitFor } from "../placement/feasibility.ts";
import type { Policy } from "../policy.ts";
import { lateAlone } from "../relief/choose-in-time.ts";
import { reserve } from "../relief/choose-pods.ts";
import { type Demand, eligiblePods } from "../relief/demand.ts";
import type { Candidate, JointShare } from "../selection/selection.ts";
import type { JointCandidate, JointPlan, JointProblem } from "./problem.ts";
import { planJointly } from "./solve.ts";
import { roomOf, takenBy } from "./target-room.ts";

/** A short node as it enters the plan. */
export interface Participant {
  demand: Demand;
  /** Moves from it at most; absent: any number, for pacing only delays them. */
  mostMoves?: number;
  /** Moves that its policy may still start within the hour. */
  mostOfPolicy?: number;
}

/** Nobody starts more at once; the rest is planned when these are done. */
const MOST_MOVES = 100;
/** Of the targets that placement prefers for a pod, so many are looked at. */
const MOST_TARGETS = 64;
/** A second too late weighs as much as so many of freeze. */
const LATE_WEIGHT = 1000;
const MINUTE_MS = 60_000;

export const participantKey = (policy: Policy, node: string) => `${policy.name}/${node}`;
const keyOf = ({ policy, node }: Demand) => participantKey(policy, node.snapshot.name);

interface Entry {
  demand: Demand;
  candidate: Candidate;
}

/** By {@link participantKey}. Nothing is entered into any ledger. */
export function planTogether(participants: readonly Participant[]): Map<string, JointShare> {
  const entries = participants.flatMap(({ demand }) =>
    eligiblePods(demand).map((candidate): Entry => ({ demand, candidate })),
  );
  const plan = planJointly(problemOf(participants, entries));
  const targetOf = new Map(plan.moves.map(({ candidate, target }) => [candidate, target]));
  const planned = entries.filter(({ candidate }) => targetOf.has(candidate.pod.uid));
  const anywhere = areAllPlacedAsPreferred(planned);
  const shares = participants.map(({ demand, mostOfPolicy }): [string, JointShare] => {
    const own = planned.filter((entry) => entry.demand === demand).map(({ candidate }) => candidate.pod.uid);
    const chosen = new Map(own.map((uid) => [uid, anywhere ? undefined : targetOf.get(uid)]));
    const ofPolicy = planned.filter((entry) => entry.demand.policy === demand.policy).length;
    const movesSpent = mostOfPolicy !== undefined && ofPolicy >= mostOfPolicy;
    return [keyOf(demand), { chosen, relieved: isRelieved(plan, demand), movesSpent }];
  });
  return new Map(shares);
}

const isRelieved = ({ missingBytes }: JointPlan, demand: Demand) => (missingBytes.get(keyOf(demand)) ?? 0) === 0;

/** Whether all find a place when each takes the one that its policy's placement prefers: then the plan needs to keep none. */
function areAllPlacedAsPreferred(planned: readonly Entry[]): boolean {
  const ledger = planned[0]?.demand.context.ledger.fork();
  return planned.every(({ demand, candidate }) => {
    if (ledger === undefined) return false;
    const apart = { ...demand, context: { ...demand.context, ledger } };
    const { targets, policy, context } = apart;
    const target = bestTarget(candidate.pod, candidate.bytes, targets, context, policy.score);
    if (target === undefined) return false;
    reserve(apart, { candidate, target });
    return true;
  });
}

function problemOf(participants: readonly Participant[], entries: readonly Entry[]): JointProblem {
  const policies = [...new Set(participants.map(({ demand }) => demand.policy))];
  const contexts = policies.map((one) => participants.find(({ demand: { policy } }) => policy === one)?.demand.context);
  const openLists = new Set(participants.map(({ demand }) => demand.targets.open));
  const openNodes = new Map([...openLists].flat().map((open) => [open.node.snapshot.name, open]));
  const budgets = new Budgets(participants);
  const byUid = new Map(entries.map((entry) => [entry.candidate.pod.uid, entry]));
  const targets = new TargetLists(entries);
  return {
    demands: participants.map(({ demand }) => ({
      name: keyOf(demand),
      bytes: demand.amountBytes,
      urgency: urgencyOf(demand),
    })),
    candidates: entries.map((entry) => asCandidate(entry, policies.indexOf(entry.demand.policy), budgets)),
    mostMoves: MOST_MOVES,
    budgets: budgets.most,
    targetsOf(uid, most) {
      const entry = byUid.get(uid);
      return entry === undefined ? [] : targets.of(entry, Math.min(most, MOST_TARGETS));
    },
    roomOn(name, roomClass) {
      const context = contexts[roomClass];
      const open = openNodes.get(name);
      return context === undefined || open === undefined ? NO_ROOM : roomOf(open, context);
    },
  };
}

const NO_ROOM: readonly number[] = [];

/** Nodes that must be relieved now come first; of the others, those that have up to twice as long count as equally urgent. */
function urgencyOf({ deadlineMs, context }: Demand): number {
  const minutes = deadlineMs === undefined ? 0 : (deadlineMs - context.view.cluster.nowMs) / MINUTE_MS;
  return minutes <= 1 ? 0 : Math.ceil(Math.log2(minutes));
}

function asCandidate({ demand, candidate }: Entry, roomClass: number, budgets: Budgets): JointCandidate {
  const { deadlineMs } = demand;
  const lateSeconds = deadlineMs === undefined ? 0 : Math.max(0, lateAlone(demand, candidate, deadlineMs));
  return {
    name: candidate.pod.uid,
    demand: keyOf(demand),
    bytes: candidate.reliefBytes,
    cost: (candidate.cost?.seconds ?? 0) + LATE_WEIGHT * lateSeconds,
    takes: takenBy(candidate, demand.context),
    roomClass,
    budgets: budgets.of(demand),
  };
}

/** Moves at most from a node, and of a policy. */
class Budgets {
  readonly most: number[] = [];
  readonly #indices = new Map<Demand | Policy, number>();

  constructor(participants: readonly Participant[]) {
    for (const { demand, mostMoves, mostOfPolicy } of participants) {
      this.#enter(demand, mostMoves);
      if (!this.#indices.has(demand.policy)) this.#enter(demand.policy, mostOfPolicy);
    }
  }

  of(demand: Demand): number[] {
    return [this.#indices.get(demand), this.#indices.get(demand.policy)].filter((index) => index !== undefined);
  }

  #enter(whose: Demand | Policy, most: number | undefined): void {
    if (most !== undefined) this.#indices.set(whose, this.most.push(most) - 1);
  }
}

/** Targets of a pod as its policy's placement prefers them, were it to move alone. */
class TargetLists {
  readonly #ordered = new Map<Policy, OpenNode[]>();

  constructor(entries: readonly Entry[]) {
    for (const { demand, candidate } of entries) {
      if (!this.#ordered.has(demand.policy)) this.#ordered.set(demand.policy, inOrder(demand, candidate.bytes));
    }
  }

  of({ demand, candidate: { pod, bytes } }: Entry, most: number): string[] {
    const names: string[] = [];
    for (const open of this.#ordered.get(demand.policy) ?? []) {
      if (names.length >= most) break;
      const { name } = open.node.snapshot;
      if (name !== pod.node && unfitFor(pod, bytes, open, demand.context) === undefined) names.push(name);
    }
    return names;
  }
}

function inOrder({ targets, context, policy }: Demand, bytes: number): OpenNode[] {
  const scored = targets.open.map((open) => ({ open, score: policy.score(asTarget(open, context.ledger), bytes) }));
  return scored.sort((a, b) => b.score - a.score).map(({ open }) => open);
}
