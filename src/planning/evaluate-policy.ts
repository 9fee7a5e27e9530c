/** One policy's share of an evaluation: a verdict on each of its nodes, the most pressed relieved first. */
import type { NodeFinding, Outcome, Reason } from "./decision.ts";
import type { JointPlans } from "./joint-plans.ts";
import type { PacingLimits } from "./pacing/pacing.ts";
import type { Policy } from "./policy.ts";
import { relieve } from "./relief/relieve.ts";
import type { Rounds } from "./relief/timing.ts";
import { demandOf, dueNow, isPressured, openTurn, type Shared, type Turn, type Watched } from "./turn.ts";

/** What is decided about a pressured node. */
type Verdict = Reason & { outcome: Outcome };

/** The turn's nodes, in their order. What is decided is entered into `shared`. */
export function evaluatePolicy(turn: Turn, shared: Shared, joint: JointPlans): NodeFinding[] {
  const pressured = turn.watched.filter(isPressured);
  const verdicts = pressured.length > 0 ? decide(turn, pressured, shared, joint) : [];
  return turn.watched.map(({ finding }, index) => ({ ...finding, ...verdicts[index] }));
}

/** One verdict for each pressured node, in their order. */
function decide(turn: Turn, pressured: readonly Watched[], shared: Shared, joint: JointPlans): Verdict[] {
  const { policy } = turn;
  const opened = openTurn(turn, shared);
  if (!opened.ok) return pressured.map(({ finding }) => waiting(finding, opened));
  const { refusals } = shared;
  refusals?.push(...opened.targets.closed.map((closed) => ({ policy: policy.name, ...closed })));
  const { limits, allowed } = opened;
  return pressured.map((one) => {
    const asked = demandOf(turn, one, opened, shared);
    if (!asked.ok) return waiting(one.finding, asked);
    const { demand, mostFromNode } = asked;
    const share = joint.shareOf(turn, one.finding.name);
    const budget = Math.min(allowed - dueNow(shared), mostFromNode);
    const rounds = { ...roundsOf(policy, limits), ...(limits.pauseSeconds !== undefined && { taken: shared.taken }) };
    const { moves, taken, ...verdict } = relieve({
      ...demand,
      ...(share && { share }),
      budget,
      mostFromNode,
      rounds,
      ...(refusals && { refusals }),
    });
    shared.moves.push(...moves);
    shared.taken.push(...taken);
    return verdict;
  });
}

const waiting = (finding: NodeFinding, { reason, message }: Reason): Verdict => ({
  outcome: "Waiting",
  reason,
  message: `${finding.message}; ${message}`,
});

/** The next round is noticed by the evaluation after the pause. */
function roundsOf(policy: Policy, { mostPerNode, pauseSeconds }: PacingLimits): Rounds {
  const gapSeconds = (pauseSeconds ?? 0) + policy.evaluationIntervalSeconds;
  const { maxMovesPerEvaluation } = policy;
  if (mostPerNode === undefined) return { atOnce: maxMovesPerEvaluation, gapSeconds };
  // Where nothing starts beside a move under way, all of a round start in one evaluation.
  const atOnce = pauseSeconds === undefined ? mostPerNode : Math.min(mostPerNode, maxMovesPerEvaluation);
  return { atOnce, gapSeconds };
}
