/** Relieves one pressured node: eligible pods → those with a target → selection → placement → the time to start. */
import { formatBytes } from "../../api/quantity.ts";
import { isDue, type Outcome, type PlannedMove, type Reason, type Refusal } from "../decision.ts";
import { freestFirst, targetRefusals } from "../placement/choose-target.ts";
import { asTarget } from "../placement/feasibility.ts";
import type { Candidate, JointShare } from "../selection/selection.ts";
import type { PodSnapshot } from "../snapshot.ts";
import { chooseInTime, type TimedChoice } from "./choose-in-time.ts";
import { choosePods, type Placed, withTarget } from "./choose-pods.ts";
import { type Demand, eligiblePods, refusalOf } from "./demand.ts";
import type { Rounds, Span } from "./timing.ts";

export interface ReliefInput extends Demand {
  /** Moves that this policy may still start in this evaluation. */
  budget: number;
  /** Moves from the node at most, those that start later included. */
  mostFromNode: number;
  rounds: Rounds;
  /** Why pods are passed over is added here; absent: nobody asks. */
  refusals?: Refusal[];
}

export interface Relief extends Reason {
  outcome: Outcome;
  moves: PlannedMove[];
  /** When they are under way, at most, where there is a deadline. */
  taken: Span[];
}

/** Targets told of for one pod that has none. */
const MAX_TARGET_REFUSALS = 10;

export function relieve(input: ReliefInput): Relief {
  const eligible = eligiblePods(input, input.refusals);
  if (eligible.length === 0) {
    return none(input, "NothingToDo", "NothingEligible", "no pod on it may be moved");
  }
  const placeable = withTarget(input, eligible);
  refuseUnplaceable(input, eligible, placeable);
  if (placeable.length === 0 && withTarget(unpaced(input), eligible).length > 0) {
    const message = "as many moves to the nodes with room are under way as may be at once";
    return none(input, "Waiting", "MovesPerNode", message);
  }
  if (placeable.length === 0) {
    return none(input, "NodesFull", "NodesFull", "no other node has room for any of its pods");
  }
  if (input.budget < 1 && input.deadlineMs === undefined) {
    return none(input, "Waiting", "MovesPerEvaluation", budgetSpent(input));
  }
  const choice = choose(input, placeable);
  return decided(input, choice, eligible, placeable);
}

const budgetSpent = ({ policy }: ReliefInput) =>
  `this policy starts at most ${policy.maxMovesPerEvaluation} in one evaluation`;

/** As if any number of moves to a node were admitted. */
function unpaced(input: ReliefInput): ReliefInput {
  const { mostPerNode: _, ...context } = input.context;
  return { ...input, context };
}

/** Without a deadline everything starts now. */
function choose(input: ReliefInput, placeable: readonly Candidate[]): TimedChoice {
  const { deadlineMs, rounds, mostFromNode: most, budget, context } = input;
  if (deadlineMs !== undefined) return chooseInTime(input, placeable, { deadlineMs, rounds, most });
  const choice = choosePods(input, placeable, Math.min(budget, most));
  const startsAtMs = choice.placed.map(() => context.view.cluster.nowMs);
  return { ...choice, startsAtMs, atMostSeconds: [], lateBySeconds: 0, tooSlow: [] };
}

function none(input: ReliefInput, outcome: Outcome, reason: string, message: string): Relief {
  return { outcome, moves: [], taken: [], reason, message: `${input.pressure}; ${message}` };
}

function decided(
  input: ReliefInput,
  choice: TimedChoice,
  eligible: readonly Candidate[],
  placeable: readonly Candidate[],
): Relief {
  const { nowMs } = input.context.view.cluster;
  const moves = plannedMoves(input, choice);
  refusePassedOver(input, choice, placeable);
  if (moves.length === 0) return noneSelected(input, eligible);
  const told = (outcome: Outcome, reason: string, message: string): Relief => {
    return {
      outcome,
      moves,
      taken: spansOf(moves, choice),
      reason,
      message: `${input.pressure}; ${message}`,
    };
  };
  if (moves.some((move) => isDue(move, nowMs))) {
    if (choice.lateBySeconds > 0) return told("Moves", "TooLate", `${summary(moves)}; ${tooLate(choice)}`);
    return told("Moves", "PodsSelected", summary(moves));
  }
  if (input.budget < 1 && choice.startsAtMs.some((startMs) => startMs <= nowMs)) {
    return told("Waiting", "MovesPerEvaluation", budgetSpent(input));
  }
  const firstMs = Math.min(...moves.map(({ startAtMs }) => startAtMs));
  return told("Waiting", "StartsLater", `${summary(moves)}, from ${timeText(firstMs)} on, which is early enough`);
}

function spansOf(moves: readonly PlannedMove[], { atMostSeconds }: TimedChoice): Span[] {
  return moves.flatMap(({ startAtMs }, index) => {
    const seconds = atMostSeconds[index];
    return seconds === undefined ? [] : [{ fromMs: startAtMs, toMs: startAtMs + seconds * 1000 }];
  });
}

const tooLate = ({ lateBySeconds }: TimedChoice) =>
  `too late: it may end ${Math.ceil(lateBySeconds)}s after less is free than should be`;
const timeText = (timeMs: number) => `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
const summary = (moves: readonly PlannedMove[]) =>
  moves.length === 1 ? `${moves[0]?.pod} goes to ${moves[0]?.to}` : `${moves.length} pods are moved`;

/** When the pods that would be chosen are just those without a target, it is room that is missing. */
function noneSelected(input: ReliefInput, eligible: readonly Candidate[]): Relief {
  if (input.share?.movesSpent === true) {
    return none(input, "Waiting", "MovesPerHour", "the moves that may start within the hour go to other nodes");
  }
  if (input.policy.select(eligible, input.amountBytes, { freeBytes: input.freeBytes }).length > 0) {
    return none(input, "NodesFull", "NodesFull", "no other node has room for the pods that should move");
  }
  const message = "the selection strategy chooses none of its pods that may be moved";
  return none(input, "NothingToDo", "NothingSelected", message);
}

function refuseUnplaceable(
  input: ReliefInput,
  candidates: readonly Candidate[],
  placeable: readonly Candidate[],
): void {
  const { refusals, targets, context } = input;
  if (refusals === undefined) return;
  const placed = new Set(placeable);
  const freest = freestFirst(targets, context);
  for (const { pod, bytes } of candidates.filter((candidate) => !placed.has(candidate))) {
    refusals.push(refusalOf(input, pod, { reason: "NoTarget", message: "no node has room for it" }));
    for (const reason of targetRefusals(pod, bytes, freest, context, MAX_TARGET_REFUSALS)) {
      refusals.push(refusalOf(input, pod, reason));
    }
  }
}

function refusePassedOver(
  input: ReliefInput,
  { placed, left, tooSlow }: TimedChoice,
  placeable: readonly Candidate[],
): void {
  const { refusals } = input;
  if (refusals === undefined) return;
  const moved = new Set(placed.map(({ candidate }) => candidate));
  const slow = new Map(tooSlow.map(({ candidate, lateBySeconds }) => [candidate, lateBySeconds]));
  const others = placeable.filter((candidate) => !moved.has(candidate));
  const rest = others.filter((candidate) => {
    const lateBySeconds = slow.get(candidate);
    if (lateBySeconds === undefined) return true;
    const message = `its move may end ${Math.ceil(lateBySeconds)}s too late`;
    refusals.push(refusalOf(input, candidate.pod, { reason: "TooLate", message }));
    return false;
  });
  refuseUnplaceable(input, rest, left);
  for (const one of left) refusals.push(refusalOf(input, one.pod, notSelected(input, one, placed.length)));
}

function notSelected({ share }: ReliefInput, { pod, cost }: Candidate, moved: number): Reason {
  return { reason: "NotSelected", message: share ? apartFromPlan(share, pod, cost) : otherwiseSelected(moved) };
}

const otherwiseSelected = (moved: number) =>
  moved > 0 ? "other pods were selected" : "the selection strategy chose none";

function apartFromPlan({ chosen, relieved }: JointShare, pod: PodSnapshot, cost: Candidate["cost"]): string {
  if (chosen.has(pod.uid)) return "it is to move too, but not yet";
  const own = `its move would cost ${cost?.text}`;
  return relieved ? `cheaper ones suffice; ${own}` : `not all can move, and others bring more relief; ${own}`;
}

/** In the order in which they start. Those that are due but beyond the budget are told for the next evaluation. */
function plannedMoves(input: ReliefInput, choice: TimedChoice): PlannedMove[] {
  const { nowMs } = input.context.view.cluster;
  let budget = input.budget;
  return choice.placed.map((placed, index) => {
    const wantedMs = choice.startsAtMs[index] ?? nowMs;
    const startAtMs =
      wantedMs > nowMs || budget-- >= 1 ? wantedMs : nowMs + input.policy.evaluationIntervalSeconds * 1000;
    return plannedMove(input, placed, startAtMs, choice);
  });
}

function plannedMove(
  input: ReliefInput,
  { candidate: { pod, bytes, grownBytes, cost }, target }: Placed,
  startAtMs: number,
  choice: TimedChoice,
): PlannedMove {
  const to = target.node.snapshot.name;
  const free = formatBytes(Math.max(0, asTarget(target, input.context.ledger).freeBytes));
  const costs = cost === undefined ? "" : `; it costs ${cost.text}`;
  const late = choice.lateBySeconds > 0 ? `; ${tooLate(choice)}` : "";
  return {
    namespace: pod.namespace,
    pod: pod.name,
    podUID: pod.uid,
    lineage: pod.lineage,
    from: pod.node,
    to,
    bytes,
    policy: input.policy.name,
    startAtMs,
    expectedSeconds: Math.ceil(input.costs.expect({ bytes: grownBytes, from: pod.node, to }).seconds),
    reason: late === "" ? "NodeShortOfMemory" : "TooLate",
    message: `${pod.node}: ${input.pressure}; ${pod.name} uses ${formatBytes(bytes)}, and ${to} keeps ${free} free${costs}${late}`,
  };
}
