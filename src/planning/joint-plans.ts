/** When the nodes of policies that weigh moves are planned together: when the first of them takes its turn, for all that follow. */
import { type Participant, participantKey, planTogether } from "./joint/plan-together.ts";
import type { JointShare } from "./selection/selection.ts";
import { demandOf, isPressured, openTurn, type Shared, type Turn } from "./turn.ts";

export interface JointPlans {
  /** Of a policy that weighs moves; undefined: there is none, and the node is decided about by itself. */
  shareOf(turn: Turn, node: string): JointShare | undefined;
}

/** Policies that only look are planned apart from those that enforce: looking never changes what is done. */
export function openJointPlans(turns: readonly Turn[], shared: Shared): JointPlans {
  const plans = new Map<boolean, ReadonlyMap<string, JointShare>>();
  return {
    shareOf({ policy }, node) {
      if (policy.select.weighing === undefined) return undefined;
      const known = plans.get(policy.dryRun) ?? planTogether(participants(turns, policy.dryRun, shared));
      plans.set(policy.dryRun, known);
      return known.get(participantKey(policy, node));
    },
  };
}

function participants(turns: readonly Turn[], dryRun: boolean, shared: Shared): Participant[] {
  const joining = turns.filter(({ policy }) => policy.select.weighing !== undefined && policy.dryRun === dryRun);
  return joining.flatMap((turn) => {
    const opened = openTurn(turn, shared);
    if (!opened.ok) return [];
    const pressured = turn.watched.filter(isPressured);
    const { maxMovesPerHour } = turn.policy;
    const mostOfPolicy = maxMovesPerHour === undefined ? undefined : opened.limits.mostMoves;
    return pressured.flatMap((watched): Participant[] => {
      const asked = demandOf(turn, watched, opened, shared);
      if (!asked.ok) return [];
      const { demand, mostFromNode } = asked;
      return [
        {
          demand,
          ...(demand.deadlineMs !== undefined && { mostMoves: mostFromNode }),
          ...(mostOfPolicy !== undefined && { mostOfPolicy }),
        },
      ];
    });
  });
}
