/**
 * Auto: of the other models, the one that did best lately on this very series.
 *
 * Good at: a cluster whose pods behave differently; a pod that changes its ways.
 * Bad at: short series, which tell models apart by luck; four times the work.
 * Source: forecast selection by rolling-origin evaluation, Tashman (2000), International Journal of Forecasting 16(4); the mean absolute
 * error at the calibrated lead, newer errors weighing more. Its own backtest chooses at each origin by what was known then, so that
 * choosing the best is not mistaken for being good.
 */
import { type BacktestPlan, backtest, ErrorSpace, type Errors } from "./backtest.ts";
import type { Fits, SeriesFits } from "./fits.ts";
import { at } from "./history.ts";
import { holt } from "./holt.ts";
import { lastValue } from "./last-value.ts";
import { linear } from "./linear.ts";
import type { ForecastModel } from "./model.ts";
import { percentile } from "./percentile.ts";

/** In the order in which they are preferred when nothing tells them apart: growth is foreseen rather than not. */
const CANDIDATES: readonly [ForecastModel, ...ForecastModel[]] = [linear, holt, lastValue, percentile];
/** An error weighs half as much when it is this many calibrated leads older. */
const HALF_LIFE_LEADS = 4;

export const auto = {
  name: "Auto",
  summary: "The model that did best lately on this series.",
} as const;

const SPACES = CANDIDATES.map(() => new ErrorSpace());
const OWN_SPACE = new ErrorSpace();

/** Auto's errors, until others are asked for, and the fits of the model that it chooses now. */
export function backtestAuto(plan: BacktestPlan, fits: SeriesFits): { errors: Errors; chosen: Fits } {
  const { timesMs } = plan.history;
  const trials = SPACES.map((space, index) =>
    backtest(fits.of(CANDIDATES[index] ?? CANDIDATES[0], plan.history), plan, space),
  );
  const scores = trials.map((errors) => new Scores(plan, errors));
  const errors = OWN_SPACE.for(plan);
  for (let position = 0; position < plan.count; position++) {
    const choice = best(scores, at(timesMs, plan.origins[position] ?? 0));
    errors.forEach((own, lead) => {
      own[position] = trials[choice]?.[lead]?.[position] ?? Number.NaN;
    });
  }
  const now = CANDIDATES[best(scores, at(timesMs, timesMs.length - 1))] ?? CANDIDATES[0];
  return { errors, chosen: fits.of(now, plan.history) };
}

/** The index of the candidate with the smallest recent error; the first of equals, and where none is known. */
function best(scores: readonly Scores[], knownAtMs: number): number {
  let found = 0;
  let least = Number.POSITIVE_INFINITY;
  scores.forEach((score, index) => {
    const error = score.recentError(knownAtMs);
    if (error < least) [found, least] = [index, error];
  });
  return found;
}

/** A running weighted mean of one candidate's absolute errors; must be asked for ascending times. */
class Scores {
  readonly #plan: BacktestPlan;
  readonly #errors: Float64Array | undefined;
  readonly #targets: Int32Array | undefined;
  #next = 0;
  #sum = 0;
  #weight = 0;

  constructor(plan: BacktestPlan, errors: Errors) {
    this.#plan = plan;
    const longest = plan.leadsSeconds.length - 1;
    this.#errors = errors[longest];
    this.#targets = plan.targets[longest];
  }

  /** Infinite while no error is known. */
  recentError(knownAtMs: number): number {
    while (this.#next < this.#plan.count && this.#targetMs() <= knownAtMs) this.#take();
    return this.#weight > 0 ? this.#sum / this.#weight : Number.POSITIVE_INFINITY;
  }

  /** Before everything where there is no target: it is passed over. */
  #targetMs(): number {
    const target = this.#targets?.[this.#next] ?? -1;
    return target < 0 ? Number.NEGATIVE_INFINITY : at(this.#plan.history.timesMs, target);
  }

  #take(): void {
    const error = this.#errors?.[this.#next] ?? Number.NaN;
    const decay = this.#decay(this.#next++);
    const counts = !Number.isNaN(error) && this.#plan.spread[this.#next - 1] === 1;
    this.#sum = this.#sum * decay + (counts ? Math.abs(error) : 0);
    this.#weight = this.#weight * decay + (counts ? 1 : 0);
  }

  /** From the error before to this one. */
  #decay(position: number): number {
    if (position === 0) return 1;
    const { origins, history, leadsSeconds } = this.#plan;
    const { timesMs } = history;
    const elapsedMs = at(timesMs, origins[position] ?? 0) - at(timesMs, origins[position - 1] ?? 0);
    return 2 ** (-elapsedMs / (HALF_LIFE_LEADS * Math.max(leadsSeconds.at(-1) ?? 0, 1) * 1000));
  }
}
