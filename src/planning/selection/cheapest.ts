import { z } from "zod";
import { admitted, parseDuration } from "../../api/quantity.ts";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
import { planJointly } from "../joint/solve.ts";
import { strategy } from "../strategy.ts";
import type { Candidate, SelectionFunction, SourceNode } from "./selection.ts";

/**
 * The pods that together free at least the amount at the least cost. A move costs its foreseen freeze × the pod's weight (annotation
 * headroom.dev/move-cost, 1 if absent), doubled for each earlier move of its lineage, plus the risk of losing work: the probability that
 * a move loses its pod, as learnt from those on record, × GiB × hours run × `lostWork`. All in seconds.
 *
 * The short nodes of all policies with Cheapest are planned together (../joint), so that none takes the room that another needs; what
 * moves later by pacing is part of that plan.
 *
 * Good: short freezes, and pods that were moved, weigh much or have run for long are left alone. Bad: often several small moves where
 * one big one would do, so relief takes longer; raise pacing with it, or forecast, which knows by when.
 */
export const cheapest = strategy<SelectionFunction>()({
  name: "Cheapest",
  summary: "The pods that relieve the node at the least cost, all short nodes of such policies planned together.",
  options: z.object({
    lostWork: durationBetween("0s", "24h")
      .default("10s")
      .describe("What losing one GiB that ran for an hour counts as, in freeze."),
  }),
  configure: ({ lostWork }) =>
    Object.assign(select, { weighing: { lostWorkSeconds: admitted(parseDuration, lostWork) } }),
});

function select(candidates: readonly Candidate[], amountBytes: number, { share }: SourceNode): Candidate[] {
  if (share !== undefined) return candidates.filter(({ pod }) => share.chosen.has(pod.uid));
  const chosen = chosenAlone(candidates, amountBytes);
  return candidates.filter(({ pod }) => chosen.has(pod.uid));
}

/** As if there were room for any pod. */
function chosenAlone(candidates: readonly Candidate[], amountBytes: number): ReadonlySet<string> {
  const plan = planJointly({
    demands: [{ name: "node", bytes: amountBytes, urgency: 0 }],
    candidates: candidates.map(({ pod, reliefBytes, bytes, cost }) => ({
      name: pod.uid,
      demand: "node",
      bytes: reliefBytes,
      cost: cost?.seconds ?? bytes,
      takes: [],
      roomClass: 0,
      budgets: [],
    })),
    mostMoves: Number.POSITIVE_INFINITY,
    budgets: [],
    targetsOf: () => ["anywhere"],
    roomOn: () => [],
  });
  return new Set(plan.moves.map(({ candidate }) => candidate));
}
