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

/**
 * `Different`: changed, and the interval of the difference holds zero. `Undefined`: null with a seed that had a value. `Gone`: kept, and not
 * there any more. `New`: nothing was kept of it. `OtherSeeds`: kept of other seeds than these, so that nothing can be set against it.
 */
export type Verdict = "Worse" | "Better" | "Different" | "Undefined" | "Gone" | "New" | "OtherSeeds";

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

/** What must be accepted on purpose: what got worse, and what is no longer held against anything, or not yet. */
export const isRefused = ({ verdict }: Pick<Change, "verdict">) => verdict !== "Better" && verdict !== "Different";

/** Everything that is not as it was, what is gone last. */
export function changes(kept: KeptScores, now: KeptScores): Change[] {
  const comparable = JSON.stringify(kept.seeds) === JSON.stringify(now.seeds);
  const present = scoresOf(now).flatMap(({ values, ...which }) =>
    change(which, kept.workloads[which.workload]?.[which.variant]?.[which.score], values, comparable),
  );
  const gone = scoresOf(kept).filter(
    ({ workload, variant, score }) => now.workloads[workload]?.[variant]?.[score] === undefined,
  );
  return [
    ...present,
    ...gone.map(({ values, ...which }): Change => {
      return { ...which, verdict: "Gone", old: meanOf(values), now: null, difference: null };
    }),
  ];
}

type Which = Pick<Change, "workload" | "variant" | "score">;
type Values = readonly (number | null)[];

function scoresOf({ workloads }: KeptScores): (Which & { values: Values })[] {
  return Object.entries(workloads).flatMap(([workload, variants]) =>
    Object.entries(variants).flatMap(([variant, scores]) =>
      Object.entries(scores).map(([score, values]) => ({ workload, variant, score, values })),
    ),
  );
}

function change(which: Which, before: Values | undefined, values: Values, comparable: boolean): Change[] {
  const now = meanOf(values);
  if (before === undefined) return [{ ...which, verdict: "New", old: null, now, difference: null }];
  const old = meanOf(before);
  if (!comparable) return [{ ...which, verdict: "OtherSeeds", old, now, difference: null }];
  if (JSON.stringify(before) === JSON.stringify(values)) return [];
  const difference = pairedDifference(values, before);
  const lost = before.some((value, index) => value !== null && (values[index] ?? null) === null);
  return [{ ...which, verdict: lost ? "Undefined" : verdictOf(which.score, difference), old, now, difference }];
}

const meanOf = (values: Values) => estimate(values)?.mean ?? null;

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
