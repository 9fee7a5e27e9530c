/** Sets scores against those that were kept, seed by seed. Pure. */

import { figure } from "../../../src/cli/simulate/render-comparison.ts";
import type { Estimate } from "../../../src/simulator/comparing/comparison.ts";
import { estimate, pairedDifference, sideOfZero } from "../../../src/simulator/comparing/statistics.ts";
import { SCORE_DESCRIPTIONS } from "../../../src/simulator/scores/scores.ts";

/** By variant, by score, in the order of the seeds. */
export type ScoresByVariant = Record<string, Record<string, (number | null)[]>>;

export interface KeptScores {
  seeds: number[];
  workloads: Record<string, ScoresByVariant>;
}

/** `Different`: changed, and the interval of the difference holds zero. `New`: nothing was kept of it. */
export type Verdict = "Worse" | "Better" | "Different" | "New";

export interface Change {
  workload: string;
  variant: string;
  score: string;
  verdict: Verdict;
  old: number | null;
  now: number | null;
  /** Now minus old, seed by seed; null when there is nothing to compare. */
  difference: Estimate | null;
}

/** Everything that is not as it was; what is gone is no change of a score and is left out. */
export function changes(kept: KeptScores, now: KeptScores): Change[] {
  const comparable = JSON.stringify(kept.seeds) === JSON.stringify(now.seeds);
  return Object.entries(now.workloads).flatMap(([workload, variants]) =>
    Object.entries(variants).flatMap(([variant, scores]) =>
      Object.entries(scores).flatMap(([score, values]) => {
        const before = comparable ? kept.workloads[workload]?.[variant]?.[score] : undefined;
        return change({ workload, variant, score }, before, values);
      }),
    ),
  );
}

function change(
  which: Pick<Change, "workload" | "variant" | "score">,
  before: readonly (number | null)[] | undefined,
  values: readonly (number | null)[],
): Change[] {
  const now = estimate(values)?.mean ?? null;
  if (before === undefined) return [{ ...which, verdict: "New", old: null, now, difference: null }];
  if (JSON.stringify(before) === JSON.stringify(values)) return [];
  const difference = pairedDifference(values, before);
  return [
    { ...which, verdict: verdictOf(which.score, difference), old: estimate(before)?.mean ?? null, now, difference },
  ];
}

function verdictOf(score: string, difference: Estimate | null): Verdict {
  const side = difference === null ? 0 : sideOfZero(difference);
  if (side === 0) return "Different";
  const better = SCORE_DESCRIPTIONS.find(({ name }) => name === score)?.better;
  if (better === "Neither") return "Different";
  return side < 0 === (better === "Lower") ? "Better" : "Worse";
}

/** `growing, forecast: kills 1.2 → 3.4, by +2.2 [0.9, 3.5]: Worse`. */
export function changeText({ workload, variant, score, verdict, old, now, difference }: Change): string {
  const values = `${old === null ? "-" : figure(old)} → ${now === null ? "-" : figure(now)}`;
  const by =
    difference === null
      ? ""
      : `, by ${difference.mean > 0 ? "+" : ""}${figure(difference.mean)}${interval(difference)}`;
  return `${workload}, ${variant}: ${score} ${values}${by}: ${verdict}`;
}

function interval({ low, high }: Estimate): string {
  return low === null || high === null ? "" : ` [${figure(low)}, ${figure(high)}]`;
}
