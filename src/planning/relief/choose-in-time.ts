/**
 * Chooses pods whose moves end by the deadline, and says when each must start. The policy's own selection comes first; when its moves
 * would end too late, smaller pods, or several, are tried. When nothing ends in time, what is the least late starts now: late is
 * better than never.
 */

import type { Candidate, SelectionFunction } from "../selection/selection.ts";
import { type Choice, choosePods, type Placed, reserve } from "./choose-pods.ts";
import type { Demand } from "./demand.ts";
import { type Rounds, timeMoves } from "./timing.ts";

export interface TimedChoice extends Choice {
  /** Of each move placed: when it starts, and what it may take at most. */
  startsAtMs: number[];
  atMostSeconds: number[];
  /** So long after the deadline it may end; 0: in time. */
  lateBySeconds: number;
  /** Candidates that were left aside because their moves would not end in time. */
  tooSlow: { candidate: Candidate; lateBySeconds: number }[];
}

export interface TimeLimits {
  deadlineMs: number;
  rounds: Rounds;
  /** Moves at most, those that start later included. */
  most: number;
}

/** Beside the evaluation that has to notice that it is time: the controller's own work. */
const SLACK_SECONDS = 5;

/** Enters the moves into the demand's ledger. */
export function chooseInTime(demand: Demand, candidates: readonly Candidate[], limits: TimeLimits): TimedChoice {
  const tooSlow = candidates.flatMap((candidate) => {
    const lateBySeconds = lateAlone(demand, candidate, limits.deadlineMs);
    return lateBySeconds > 0 ? [{ candidate, lateBySeconds }] : [];
  });
  const slow = new Set(tooSlow.map(({ candidate }) => candidate));
  const fast = candidates.filter((candidate) => !slow.has(candidate));
  const own = trial(demand, candidates, limits);
  if (own.lateBySeconds === 0) return settle(demand, { ...own, tooSlow: [] });
  const others = fast.length === 0 ? [] : [trial(demand, fast, limits), trial(demand, fast, limits, leanest)];
  const enough = others.filter(({ missingBytes }) => missingBytes <= Math.max(0, own.missingBytes));
  const best = [own, ...enough].reduce((least, one) => (one.lateBySeconds < least.lateBySeconds ? one : least));
  return settle(demand, { ...best, tooSlow: best === own ? [] : tooSlow });
}

/** By how many seconds its move alone would end too late, if it started now. */
export function lateAlone({ costs, context }: Demand, candidate: Candidate, deadlineMs: number): number {
  const { atMostSeconds } = costs.expect({ bytes: candidate.grownBytes, from: candidate.pod.node, to: "" });
  return atMostSeconds - (deadlineMs - context.view.cluster.nowMs) / 1000;
}

/** The smallest pod that is enough; when there is none, as few as possible. */
const leanest: SelectionFunction = (candidates, amountBytes) => {
  const bySize = candidates.toSorted((a, b) => a.reliefBytes - b.reliefBytes);
  const alone = bySize.find(({ reliefBytes }) => reliefBytes >= amountBytes);
  return alone === undefined ? bySize.toReversed() : [alone];
};

/** Without entering anything into the demand's own ledger. */
function trial(
  demand: Demand,
  candidates: readonly Candidate[],
  limits: TimeLimits,
  select?: SelectionFunction,
): Omit<TimedChoice, "tooSlow"> {
  const { context, costs, policy } = demand;
  const apart = { ...demand, context: { ...context, ledger: context.ledger.fork() } };
  const choice = choosePods(apart, candidates, limits.most, select);
  const atMostSeconds = choice.placed.map(({ candidate, target }) => {
    const [from, to] = [candidate.pod.node, target.node.snapshot.name];
    return costs.expect({ bytes: candidate.grownBytes, from, to }).atMostSeconds;
  });
  const deadline = {
    nowMs: context.view.cluster.nowMs,
    deadlineMs: limits.deadlineMs,
    slackSeconds: policy.evaluationIntervalSeconds + SLACK_SECONDS,
  };
  return { ...choice, atMostSeconds, ...timeMoves(atMostSeconds, deadline, limits.rounds) };
}

function settle(demand: Demand, choice: TimedChoice): TimedChoice {
  for (const placed of choice.placed satisfies Placed[]) reserve(demand, placed);
  return choice;
}
