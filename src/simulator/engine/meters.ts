/** What the metrics source shows of a node or a pod. Of pods nothing is read before planning asks for it. */
import type { Series } from "../../planning/snapshot.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import type { Sampling } from "./sampling.ts";
import { ThinnedSeries } from "./thinned-series.ts";
import { bytesAt, locate } from "./trace.ts";

/** Kept of each series: twice what forecasts look back on, so that they can be held against as much of the past. */
const SERIES_SAMPLES = 80;
/** Without policies nobody ever asks. */
const MOST_WAITING = 4096;

export interface Reading {
  sampledAtMs: number;
  bytes: number;
}

export interface Meter {
  /** The newest sample that can be seen. */
  newest(): Reading | undefined;
  series(): Series;
}

export interface MeterOptions {
  sampling: Sampling;
  /** Between the samples of a series; its newest may be closer. */
  spacingSeconds: number;
  /** Milliseconds since the epoch. */
  toMs(seconds: number): number;
}

/** Samples of a pod from when it came under its UID. Its trace and its clock tell what they were, however late they are asked for. */
export class PodMeter implements Meter {
  readonly #pod: PodRun;
  readonly #options: MeterOptions;
  readonly #isLost: (index: number) => boolean;
  readonly #first: number;
  /** Looked at up to here; the newest that is there, and what it was. */
  #looked: number;
  #newest: Reading | undefined;
  #place = 0;
  #series: SeenSeries | undefined;

  constructor(pod: PodRun, options: MeterOptions, at: number) {
    this.#pod = pod;
    this.#options = options;
    this.#isLost = options.sampling.lossOf(pod.key);
    this.#first = options.sampling.firstFrom(at);
    this.#looked = this.#first - 1;
  }

  newest(): Reading | undefined {
    const { sampling, toMs } = this.#options;
    const { seen } = sampling;
    for (let index = seen; index > this.#looked; index--) {
      const bytes = this.#bytesOf(index);
      if (bytes === undefined) continue;
      this.#newest = { sampledAtMs: toMs(sampling.secondsOf(index)), bytes };
      break;
    }
    this.#looked = Math.max(this.#looked, seen);
    return this.#newest;
  }

  series(): Series {
    const { sampling, toMs } = this.#options;
    const { seen } = sampling;
    this.#series ??= new SeenSeries(this.#options, this.#first - 1);
    return this.#series.upTo(seen, (from, push) => {
      for (let index = from; index <= seen; index++) {
        const bytes = this.#bytesOf(index);
        if (bytes !== undefined) push(toMs(sampling.secondsOf(index)), bytes);
      }
    });
  }

  /** Undefined: lost, in a gap, or the pod was down. */
  #bytesOf(index: number): number | undefined {
    if (this.#isLost(index)) return undefined;
    const { clock, spec } = this.#pod;
    const work = clock.workThen(this.#options.sampling.secondsOf(index));
    if (work === undefined) return undefined;
    if (spec.gaps?.some(({ fromSeconds, toSeconds }) => work >= fromSeconds && work < toSeconds)) return undefined;
    this.#place = locate(spec.trace, work, this.#place);
    return bytesAt(spec.trace, work, this.#place);
  }
}

/** Samples of a node: taken as time goes by, for nobody could tell later what ran there. */
export class NodeMeter implements Meter {
  readonly #node: NodeRun;
  readonly #options: MeterOptions;
  readonly #isLost: (index: number) => boolean;
  readonly #series: SeenSeries;
  /** Of {@link series} as it was when it last was asked for: a new one is another object. */
  #read: { series: Series; newest: Reading | undefined } | undefined;
  /** Not yet in the series: nobody has asked, or they cannot be seen yet. */
  #waiting: { index: number; bytes: number }[] = [];

  constructor(node: NodeRun, options: MeterOptions) {
    this.#node = node;
    this.#options = options;
    this.#isLost = options.sampling.lossOf(`node ${node.name}`);
    this.#series = new SeenSeries(options, -1);
  }

  take(index: number, at: number): void {
    if (this.#isLost(index)) return;
    this.#waiting.push({ index, bytes: this.#node.usedAt(at) });
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(0, MOST_WAITING / 2);
  }

  newest(): Reading | undefined {
    const series = this.series();
    if (this.#read?.series !== series) this.#read = { series, newest: lastOf(series) };
    return this.#read.newest;
  }

  series(): Series {
    const { sampling, toMs } = this.#options;
    const { seen } = sampling;
    return this.#series.upTo(seen, (_, push) => {
      for (const { index, bytes } of this.#waiting) if (index <= seen) push(toMs(sampling.secondsOf(index)), bytes);
      this.#waiting = this.#waiting.filter(({ index }) => index > seen);
    });
  }
}

function lastOf({ timesMs, bytes }: Series): Reading | undefined {
  const [sampledAtMs, value] = [timesMs.at(-1), bytes.at(-1)];
  return sampledAtMs === undefined || value === undefined ? undefined : { sampledAtMs, bytes: value };
}

const NO_SAMPLES: Series = { timesMs: new Float64Array(0), bytes: new Float64Array(0) };

/** The part of a series that can be seen: continued when it is asked for and something new can be. */
class SeenSeries {
  readonly #samples: ThinnedSeries;
  readonly #stretchMs: number;
  readonly #options: MeterOptions;
  #through: number;
  #view: Series = NO_SAMPLES;

  constructor(options: MeterOptions, through: number) {
    this.#options = options;
    const { sampling, spacingSeconds } = options;
    this.#stretchMs = Math.max(spacingSeconds, sampling.intervalSeconds) * 1000;
    this.#samples = new ThinnedSeries(SERIES_SAMPLES, this.#stretchMs);
    this.#through = through;
  }

  /** `add`: gives the samples from this index on, in order. */
  upTo(seen: number, add: (from: number, push: (timeMs: number, bytes: number) => void) => void): Series {
    if (seen <= this.#through) return this.#view;
    const { sampling, toMs } = this.#options;
    const from = this.#firstInSight(seen);
    add(from, (timeMs, bytes) => this.#samples.push(timeMs, bytes));
    this.#through = seen;
    this.#view = this.#samples.view(toMs(sampling.secondsOf(seen)));
    return this.#view;
  }

  /** Older samples than this one would be out of sight. */
  #firstInSight(seen: number): number {
    const { sampling, toMs } = this.#options;
    const stretchOf = (index: number) => this.#samples.stretchOf(toMs(sampling.secondsOf(index)));
    const oldest = stretchOf(seen) - SERIES_SAMPLES;
    const reachMs = SERIES_SAMPLES * this.#stretchMs;
    let first = Math.max(this.#through + 1, seen - Math.ceil(reachMs / 1000 / sampling.intervalSeconds));
    while (first > this.#through + 1 && stretchOf(first - 1) >= oldest) first--;
    return first;
  }
}
