/** What the metrics source shows of a node or a pod. Of pods nothing is read before planning asks for it. */
import type { Series } from "../../planning/snapshot.ts";
import type { NodeRun } from "./node-run.ts";
import type { PodRun } from "./pod-run.ts";
import type { Sampling } from "./sampling.ts";
import { SlidingSeries } from "./sliding-series.ts";
import { bytesAt, locate } from "./trace.ts";

/** Kept of each series, as the controller does. */
export const SERIES_SAMPLES = 240;

export interface Reading {
  sampledAtMs: number;
  bytes: number;
}

export interface Meter {
  /** The newest sample that can be seen. */
  newest(): Reading | undefined;
  series(): Series;
}

/** Milliseconds since the epoch. */
type ToMs = (seconds: number) => number;

/** Samples of a pod from when it came under its UID. Its trace and its clock tell what they were, however late they are asked for. */
export class PodMeter implements Meter {
  readonly #pod: PodRun;
  readonly #sampling: Sampling;
  readonly #toMs: ToMs;
  readonly #isLost: (index: number) => boolean;
  readonly #first: number;
  /** Looked at up to here; the newest that is there, and what it was. */
  #looked: number;
  #newest: Reading | undefined;
  #place = 0;
  #series: { samples: SlidingSeries; through: number; seen: Series } | undefined;

  constructor(pod: PodRun, sampling: Sampling, toMs: ToMs, at: number) {
    this.#pod = pod;
    this.#sampling = sampling;
    this.#toMs = toMs;
    this.#isLost = sampling.lossOf(pod.key);
    this.#first = sampling.firstFrom(at);
    this.#looked = this.#first - 1;
  }

  newest(): Reading | undefined {
    const { seen } = this.#sampling;
    for (let index = seen; index > this.#looked; index--) {
      const bytes = this.#bytesOf(index);
      if (bytes === undefined) continue;
      this.#newest = { sampledAtMs: this.#toMs(this.#sampling.secondsOf(index)), bytes };
      break;
    }
    this.#looked = Math.max(this.#looked, seen);
    return this.#newest;
  }

  series(): Series {
    const { seen } = this.#sampling;
    this.#series ??= { samples: new SlidingSeries(SERIES_SAMPLES), through: this.#first - 1, seen: NO_SAMPLES };
    const state = this.#series;
    if (state.through >= seen) return state.seen;
    for (let index = Math.max(state.through + 1, seen - SERIES_SAMPLES + 1); index <= seen; index++) {
      const bytes = this.#bytesOf(index);
      if (bytes !== undefined) state.samples.push(this.#toMs(this.#sampling.secondsOf(index)), bytes);
    }
    state.through = seen;
    state.seen = state.samples.until(Number.POSITIVE_INFINITY);
    return state.seen;
  }

  /** Undefined: lost, in a gap, or the pod was down. */
  #bytesOf(index: number): number | undefined {
    if (this.#isLost(index)) return undefined;
    const { clock, spec } = this.#pod;
    const work = clock.workThen(this.#sampling.secondsOf(index));
    if (work === undefined) return undefined;
    if (spec.gaps?.some(({ fromSeconds, toSeconds }) => work >= fromSeconds && work < toSeconds)) return undefined;
    this.#place = locate(spec.trace, work, this.#place);
    return bytesAt(spec.trace, work, this.#place);
  }
}

/** Samples of a node: taken as time goes by, for nobody could tell later what ran there. */
export class NodeMeter implements Meter {
  readonly #node: NodeRun;
  readonly #sampling: Sampling;
  readonly #toMs: ToMs;
  readonly #isLost: (index: number) => boolean;
  readonly #samples = new SlidingSeries(2 * SERIES_SAMPLES);
  #seen: { index: number; series: Series } = { index: -1, series: NO_SAMPLES };

  constructor(node: NodeRun, sampling: Sampling, toMs: ToMs) {
    this.#node = node;
    this.#sampling = sampling;
    this.#toMs = toMs;
    this.#isLost = sampling.lossOf(`node ${node.name}`);
  }

  take(index: number, at: number): void {
    if (this.#isLost(index)) return;
    this.#samples.push(this.#toMs(at), this.#node.usedAt(at));
    this.#seen.index = Number.NaN; // the piece that was handed out may have slid away
  }

  newest(): Reading | undefined {
    const { timesMs, bytes } = this.series();
    const [sampledAtMs, value] = [timesMs.at(-1), bytes.at(-1)];
    return sampledAtMs === undefined || value === undefined ? undefined : { sampledAtMs, bytes: value };
  }

  series(): Series {
    const { seen } = this.#sampling;
    if (this.#seen.index === seen) return this.#seen.series;
    const all = this.#samples.until(this.#toMs(this.#sampling.secondsOf(seen)));
    const from = Math.max(0, all.timesMs.length - SERIES_SAMPLES);
    this.#seen = { index: seen, series: { timesMs: all.timesMs.subarray(from), bytes: all.bytes.subarray(from) } };
    return this.#seen.series;
  }
}

const NO_SAMPLES: Series = { timesMs: new Float64Array(0), bytes: new Float64Array(0) };
