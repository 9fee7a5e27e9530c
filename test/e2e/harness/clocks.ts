/** What a workload that watches its clocks and timers (`clocks`) has logged since it runs where it is. */
import { kubectl } from "../cluster/cluster.ts";
import { assert, type Context } from "./scenario.ts";

const STEP = /^clocks at \d+: monotonic (-?\d+) boottime (-?\d+)$/gm;
const TIMERS = /^timers at \d+: alarms (\d+) ticks (\d+)$/gm;

/** By how much its clocks went on at once whenever that was long, or backwards, milliseconds: at a freeze. */
export async function clockSteps(context: Context, pod: string): Promise<number[]> {
  return [...(await logOf(context, pod)).matchAll(STEP)].flatMap(([, ...steps]) => steps.map(Number));
}

/** Both of its timers have gone on. */
export async function assertTimersRun(context: Context, pod: string): Promise<void> {
  const counts = [...(await logOf(context, pod)).matchAll(TIMERS)].map(([, ...timers]) => timers.map(Number));
  const [first = [], last = []] = [counts.at(0), counts.at(-1)];
  const run = counts.length > 1 && first.every((count, timer) => (last[timer] ?? 0) > count);
  assert(run, `a timer of ${pod} stands still (alarms, ticks): ${JSON.stringify(counts)}`);
}

const logOf = ({ cluster, namespace }: Context, pod: string): Promise<string> =>
  kubectl(cluster, ["-n", namespace, "logs", pod]);
