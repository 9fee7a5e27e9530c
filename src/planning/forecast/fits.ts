/**
 * What models made of the parts of one series' past. A fit depends on the samples that a model looks back on and on nothing else, so one that was
 * made before is taken again for as long as these samples are the same: results are those of fitting everything anew, only sooner.
 */
import { at, type History } from "./history.ts";
import type { Curve, ForecastModel } from "./model.ts";

/** How far back models look, in horizons, as long as that leaves {@link MIN_SAMPLES}. */
export const LOOK_BACK_HORIZONS = 4;
const MIN_SAMPLES = 8;
/** In samples: most series become longer than this. */
const LEAST_SPACE = 32;

/** The fits of one model to every part of one series' past, made when they are asked for. */
export class Fits {
  readonly model: ForecastModel;
  readonly horizonSeconds: number;
  #history: History | undefined;
  /** By sample, beside its time and bytes: from when on the fit looked at samples, and the fit; level is NaN where none was made. */
  #count = 0;
  #timesMs = new Float64Array(0);
  #bytes = new Float64Array(0);
  #fromMs = new Float64Array(0);
  #levels = new Float64Array(0);
  #trends = new Float64Array(0);

  constructor(model: ForecastModel, horizonSeconds: number) {
    this.model = model;
    this.horizonSeconds = horizonSeconds;
  }

  /** The fits are of this history from now on. */
  follow(history: History): void {
    if (this.#history === history) return;
    this.#history = history;
    const count = history.timesMs.length;
    this.#reserve(count);
    let known = 0;
    let lastKnown = -1;
    let runFrom = 0;
    let first = 0;
    for (let index = 0; index < count; index++) {
      const time = at(history.timesMs, index);
      const value = at(history.bytes, index);
      while (known < this.#count && at(this.#timesMs, known) < time) known++;
      // What is known of a sample lies at or behind its new place, so it is read before it is overwritten.
      const isKnown = known >= index && known < this.#count && this.#isAt(known, time, value);
      if (!isKnown || known !== lastKnown + 1) runFrom = index;
      if (isKnown) lastKnown = known;
      first = this.#firstOf(history, first, index);
      const fromMs = at(history.timesMs, first);
      const stays = isKnown && first >= runFrom && at(this.#fromMs, known) === fromMs;
      this.#levels[index] = stays ? at(this.#levels, known) : Number.NaN;
      this.#trends[index] = stays ? at(this.#trends, known) : 0;
      this.#timesMs[index] = time;
      this.#bytes[index] = value;
      this.#fromMs[index] = fromMs;
    }
    this.#count = count;
  }

  /** Bytes `aheadSeconds` after the sample `last`, by what was known until then. */
  ahead(last: number, aheadSeconds: number): number {
    if (Number.isNaN(at(this.#levels, last))) this.#fit(last);
    return this.model.ahead(at(this.#levels, last), at(this.#trends, last), aheadSeconds, this.horizonSeconds);
  }

  /** As {@link ahead}; stays what it is when another history is followed. */
  curveFrom(last: number): Curve {
    if (Number.isNaN(at(this.#levels, last))) this.#fit(last);
    const [level, trend] = [at(this.#levels, last), at(this.#trends, last)];
    return (aheadSeconds) => this.model.ahead(level, trend, aheadSeconds, this.horizonSeconds);
  }

  #isAt(index: number, time: number, value: number): boolean {
    return at(this.#timesMs, index) === time && at(this.#bytes, index) === value;
  }

  /** The first sample that a fit up to `last` looks at; not before that of the sample before. */
  #firstOf({ timesMs }: History, atLeast: number, last: number): number {
    const sinceMs = at(timesMs, last) - LOOK_BACK_HORIZONS * this.horizonSeconds * 1000;
    let first = atLeast;
    while (at(timesMs, first) < sinceMs && last - first >= MIN_SAMPLES) first++;
    return first;
  }

  #fit(last: number): void {
    const history = this.#history;
    if (history === undefined) return;
    let first = last;
    while (first > 0 && at(history.timesMs, first - 1) >= at(this.#fromMs, last)) first--;
    const { level, trend } = this.model.fit({ history, first, end: last + 1, horizonSeconds: this.horizonSeconds });
    this.#levels[last] = level;
    this.#trends[last] = trend;
  }

  #reserve(count: number): void {
    if (count <= this.#levels.length) return;
    const grown = (values: Float64Array) => {
      const more = new Float64Array(Math.max(LEAST_SPACE, Math.ceil(count * 1.5)));
      more.set(values);
      return more;
    };
    this.#timesMs = grown(this.#timesMs);
    this.#bytes = grown(this.#bytes);
    this.#fromMs = grown(this.#fromMs);
    this.#levels = grown(this.#levels);
    this.#trends = grown(this.#trends);
  }
}

/** All fits of one series at one horizon, by model. */
export class SeriesFits {
  readonly #horizonSeconds: number;
  readonly #fits: Fits[] = [];

  constructor(horizonSeconds: number) {
    this.#horizonSeconds = horizonSeconds;
  }

  of(model: ForecastModel, history: History): Fits {
    let fits = this.#fits.find((one) => one.model === model);
    if (fits === undefined) {
      fits = new Fits(model, this.#horizonSeconds);
      this.#fits.push(fits);
    }
    fits.follow(history);
    return fits;
  }
}
