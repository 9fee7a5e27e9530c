/** How long a workload may last: recordings of different clocks are years apart, and would be simulated for as long. Pure. */
import type { SimulatedPod } from "../scenario.ts";
import type { RecordedPod } from "./recorded-pod.ts";

const DAY_SECONDS = 86_400;
const LONGEST_DAYS = 366;
export const LONGEST_SECONDS = LONGEST_DAYS * DAY_SECONDS;

/** Of the recordings alone, if there are any. */
interface Span {
  first: RecordedPod;
  last: RecordedPod;
  seconds: number;
}

/** What to say of a workload that lasts longer, without an end that somebody asked for. */
export function tooLong(
  recorded: readonly RecordedPod[],
  { pod, seconds }: { pod: SimulatedPod | undefined; seconds: number },
): string {
  const span = spanOf(recorded);
  if (span === undefined || span.seconds < LONGEST_SECONDS / 2) {
    const who = pod === undefined ? "" : `; the last to end is ${nameOf(pod)}`;
    return `expected at most ${LONGEST_DAYS} days, this goes on for ${days(seconds)}${who}: say with --until when to end`;
  }
  const first = `the first sample of ${nameOf(span.first)} (${timeText(firstMs(span.first))})`;
  const last = `the last of ${nameOf(span.last)} (${timeText(lastMs(span.last))})`;
  return (
    `expected recordings of at most ${LONGEST_DAYS} days on one clock, there are ${days(span.seconds)} from ${first} to ${last}: ` +
    "correct the times, simulate the recordings apart, or say with --until when to end, as in --until 12h"
  );
}

const nameOf = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;
const days = (seconds: number) => `${Math.ceil(seconds / DAY_SECONDS)} days`;
const firstMs = ({ timesMs }: RecordedPod) => timesMs[0] ?? 0;
const lastMs = ({ timesMs }: RecordedPod) => timesMs.at(-1) ?? 0;

function spanOf(recorded: readonly RecordedPod[]): Span | undefined {
  let [first, last] = [recorded[0], recorded[0]];
  for (const pod of recorded) {
    if (first !== undefined && firstMs(pod) < firstMs(first)) first = pod;
    if (last !== undefined && lastMs(pod) > lastMs(last)) last = pod;
  }
  if (first === undefined || last === undefined) return undefined;
  return { first, last, seconds: (lastMs(last) - firstMs(first)) / 1000 };
}

/** ECMAScript knows dates up to so many milliseconds around 1970. */
const MOST_DATE_MS = 8.64e15;

function timeText(ms: number): string {
  return Math.abs(ms) <= MOST_DATE_MS ? new Date(ms).toISOString() : `${ms} ms since 1970`;
}
