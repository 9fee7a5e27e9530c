/** All scores, in the order in which they are shown. */
import type { ScoreDescription } from "../comparing/comparison.ts";
import type { RunRecord } from "../run-record.ts";
import { FORECAST_SCORES } from "./forecast.ts";
import { JOB_SCORES } from "./jobs.ts";
import { KILL_SCORES } from "./kills.ts";
import { MOVE_SCORES } from "./moves.ts";
import { COST, REGRET } from "./regret.ts";
import type { Score } from "./score.ts";
import { UTILISATION_SCORES } from "./utilisation.ts";
import { WORK_SCORES } from "./work.ts";

export const SCORES: readonly Score[] = [
  ...KILL_SCORES,
  ...WORK_SCORES,
  ...JOB_SCORES,
  ...UTILISATION_SCORES,
  ...MOVE_SCORES,
  ...FORECAST_SCORES,
  COST,
  REGRET,
];

/** By name; null where a score is not defined for this run. */
export type RunScores = Record<string, number | null>;

export function scoreRun(run: RunRecord): RunScores {
  return Object.fromEntries(SCORES.map((score) => [score.name, score.of(run)]));
}

export const SCORE_DESCRIPTIONS: readonly ScoreDescription[] = SCORES.map(({ of: _, ...description }) => description);
