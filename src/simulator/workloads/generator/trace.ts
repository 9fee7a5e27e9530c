/** A pod's trace out of its shape: the corners, points in between, and noise. Pure. */
import type { Random } from "../../random.ts";
import type { Trace } from "../../scenario.ts";
import type { Corner } from "./shapes.ts";

export interface TraceOptions {
  peakBytes: number;
  /** Standard deviation of the noise's logarithm. */
  noise: number;
  /** Of all points of the trace; corners are always among them. */
  points: number;
}

/** Points lie at least so far apart, so that a trace stays light and no slope is infinite. Seconds. */
const APART = 1;
/** How much of the noise at one point is still there at the next: memory wanders rather than jumps. */
const PERSISTENCE = 0.7;
/** No process is without memory. */
const LEAST_BYTES = 1024 ** 2;

/** Never above the peak, and somewhere at it. */
export function traceOf(corners: readonly Corner[], options: TraceOptions, random: Random): Trace {
  const apart = spread(corners);
  const all = subdivided(apart, options.points);
  const bytes = new Float64Array(all.length);
  let wandering = 0;
  for (const [index, { part }] of all.entries()) {
    wandering = PERSISTENCE * wandering + Math.sqrt(1 - PERSISTENCE ** 2) * options.noise * random.normal();
    const noisy = part >= 1 ? 1 : Math.min(1, part * Math.exp(wandering));
    bytes[index] = Math.max(LEAST_BYTES, Math.round(noisy * options.peakBytes));
  }
  return { seconds: Float64Array.from(all, ({ seconds }) => seconds), bytes };
}

/** Whole seconds, ascending; of two corners at one second the later one counts, but none at the peak is lost. */
function spread(corners: readonly Corner[]): Corner[] {
  const kept: Corner[] = [];
  for (const { seconds, part } of corners) {
    const rounded = Math.round(seconds);
    const last = kept.at(-1);
    if (last === undefined || rounded >= last.seconds + APART) kept.push({ seconds: rounded, part });
    else last.part = Math.max(last.part, part) === 1 ? 1 : part;
  }
  return kept;
}

/** Points on the lines between the corners, evenly over the time. */
function subdivided(corners: readonly Corner[], points: number): Corner[] {
  const end = corners.at(-1)?.seconds ?? 0;
  const step = Math.max(APART, end / Math.max(1, points - corners.length));
  const all: Corner[] = [];
  for (const [index, corner] of corners.entries()) {
    const next = corners[index + 1];
    all.push(corner);
    if (next === undefined) break;
    const pieces = Math.floor((next.seconds - corner.seconds) / step);
    for (let piece = 1; piece < pieces; piece++) {
      const seconds = Math.round(corner.seconds + ((next.seconds - corner.seconds) * piece) / pieces);
      const part =
        corner.part + ((next.part - corner.part) * (seconds - corner.seconds)) / (next.seconds - corner.seconds);
      if (seconds > (all.at(-1)?.seconds ?? -1) && seconds < next.seconds) all.push({ seconds, part });
    }
  }
  return all;
}
