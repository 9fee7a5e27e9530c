/** Pods as monitoring recorded them, at the times of the wall clock; and what the simulation makes of that. Pure. */
import type { Gap, Trace } from "../scenario.ts";
import type { DescribedPod } from "./described-pod.ts";

export interface RecordedPod extends Omit<DescribedPod, "arrivalSeconds" | "durationSeconds" | "trace" | "gaps"> {
  /** Milliseconds since the epoch, ascending; only where there was a sample; at least one. */
  timesMs: Float64Array;
  bytes: Float64Array;
  /**
   * `AtLastSample`: its work is done then. `WhenGone`: only if it was gone before the recording ended; else nobody knows, and it goes
   * on with what it had.
   */
  finishes: "AtLastSample" | "WhenGone";
}

/** `interpolate`: memory and metrics are as if nothing were missing. `keep`: memory too, but the metrics source shows nothing of the pod there. */
export type GapTreatment = "interpolate" | "keep";

/** More than so many usual steps without a sample: one or more are missing. */
const GAP_STEPS = 1.5;

/** All recordings share one clock: the simulation starts with the first sample of all. */
export function describeRecorded(recorded: readonly RecordedPod[], gaps: GapTreatment): DescribedPod[] {
  const startMs = recorded.reduce((first, { timesMs }) => Math.min(first, timesMs[0] ?? first), Infinity);
  const endMs = recorded.reduce((last, { timesMs }) => Math.max(last, timesMs.at(-1) ?? last), -Infinity);
  return recorded.map((pod) => describe(pod, { startMs, endMs }, gaps));
}

function describe(recorded: RecordedPod, span: { startMs: number; endMs: number }, gaps: GapTreatment): DescribedPod {
  const { timesMs, bytes, finishes, ...rest } = recorded;
  const firstMs = timesMs[0] ?? span.startMs;
  const lastMs = timesMs.at(-1) ?? firstMs;
  const stepMs = usualStep(timesMs);
  const goesOn = finishes === "WhenGone" && span.endMs - lastMs <= GAP_STEPS * stepMs;
  const missing = gaps === "keep" ? gapsOf(timesMs, stepMs) : [];
  return {
    ...rest,
    arrivalSeconds: (firstMs - span.startMs) / 1000,
    // A single sample still is a pod that ran for a moment.
    durationSeconds: goesOn ? undefined : Math.max(1, (lastMs - firstMs) / 1000),
    trace: withoutIdlePoints({ seconds: timesMs.map((timeMs) => (timeMs - firstMs) / 1000), bytes }),
    ...(missing.length > 0 && { gaps: missing }),
  };
}

/** The median of the steps; 0 for a single sample. */
function usualStep(timesMs: Float64Array): number {
  const steps = new Float64Array(Math.max(0, timesMs.length - 1));
  for (let index = 0; index < steps.length; index++) steps[index] = (timesMs[index + 1] ?? 0) - (timesMs[index] ?? 0);
  return steps.sort()[steps.length >> 1] ?? 0;
}

/** From the last sample before to the first one after: both are there. */
function gapsOf(timesMs: Float64Array, stepMs: number): Gap[] {
  const firstMs = timesMs[0] ?? 0;
  const gaps: Gap[] = [];
  for (let index = 1; index < timesMs.length; index++) {
    const [before, after] = [timesMs[index - 1] ?? 0, timesMs[index] ?? 0];
    if (after - before > GAP_STEPS * stepMs) {
      gaps.push({ fromSeconds: (before - firstMs) / 1000, toSeconds: (after - firstMs) / 1000 });
    }
  }
  return gaps;
}

/** Of a level stretch only the two ends are kept: the same trace in fewer points. */
export function withoutIdlePoints({ seconds, bytes }: Trace): Trace {
  const keep = (index: number) =>
    index === 0 || index === bytes.length - 1 || bytes[index] !== bytes[index - 1] || bytes[index] !== bytes[index + 1];
  return { seconds: seconds.filter((_, index) => keep(index)), bytes: bytes.filter((_, index) => keep(index)) };
}
