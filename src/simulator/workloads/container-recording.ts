/** Memory by container, as Prometheus and Telegraf record it, made the memory of pods. */
import type { RecordedPod } from "./recorded-pod.ts";
import { Samples } from "./samples.ts";

export interface ContainerPlace {
  namespace: string;
  pod: string;
  /** Empty: the pod as a whole. */
  container: string;
  node?: string | undefined;
}

/** The working set is what the kubelet evicts by; usage, cache included, is taken where nothing better is recorded. */
export type Measure = "WorkingSet" | "Usage";

interface Recorded {
  namespace: string;
  name: string;
  node?: string | undefined;
  measures: Record<Measure, Map<string, Samples>>;
  requests: Map<string, number>;
  limits: Map<string, number>;
}

/** The pause container, which belongs to no one. */
const PAUSE = "POD";

export class ContainerRecording {
  readonly #pods = new Map<string, Recorded>();

  addSample(place: ContainerPlace, measure: Measure, timeMs: number, bytes: number): void {
    this.samplesOf(place, measure).add(timeMs, bytes);
  }

  samplesOf(place: ContainerPlace, measure: Measure): Samples {
    const pod = this.#pod(place);
    pod.node ??= place.node;
    const containers = pod.measures[measure];
    const known = containers.get(place.container);
    if (known !== undefined) return known;
    const samples = new Samples();
    containers.set(place.container, samples);
    return samples;
  }

  /** The last one told counts. */
  setRequest(place: ContainerPlace, bytes: number): void {
    this.#pod(place).requests.set(place.container, bytes);
  }

  setLimit(place: ContainerPlace, bytes: number): void {
    this.#pod(place).limits.set(place.container, bytes);
  }

  /** Those whose memory was recorded. */
  pods(): RecordedPod[] {
    return [...this.#pods.values()].flatMap((pod) => recordedPod(pod) ?? []);
  }

  #pod({ namespace, pod }: ContainerPlace): Recorded {
    const key = `${namespace}/${pod}`;
    const known = this.#pods.get(key);
    if (known !== undefined) return known;
    const measures = { WorkingSet: new Map<string, Samples>(), Usage: new Map<string, Samples>() };
    const made = { namespace, name: pod, measures, requests: new Map(), limits: new Map() };
    this.#pods.set(key, made);
    return made;
  }
}

function recordedPod({ namespace, name, node, measures, requests, limits }: Recorded): RecordedPod | undefined {
  const filled = (measure: Measure) => [...measures[measure]].filter(([, samples]) => samples.length > 0);
  const containers = filled("WorkingSet").length > 0 ? filled("WorkingSet") : filled("Usage");
  if (containers.length === 0) return undefined;
  const counted = countedContainers(containers.map(([container]) => container));
  const parts = containers.filter(([container]) => counted.includes(container)).map(([, samples]) => samples.series());
  const sum = (amounts: ReadonlyMap<string, number>) =>
    [...amounts.values()].reduce((total, bytes) => total + bytes, 0);
  // A pod has a limit only if all of its containers have one.
  const limited = limits.size >= counted.length;
  return {
    namespace,
    name,
    ...sumOfLines(parts),
    finishes: "WhenGone",
    labels: {},
    annotations: {},
    ...(node !== undefined && { node }),
    ...(requests.size > 0 && { requestBytes: sum(requests) }),
    ...(limited && sum(limits) > 0 && { limitBytes: sum(limits) }),
  };
}

/** cAdvisor tells of each container, of the pause container, and (without a name) of the pod as a whole: not to be counted twice. */
function countedContainers(names: readonly string[]): string[] {
  const named = names.filter((name) => name !== "" && name !== PAUSE);
  if (named.length > 0) return named;
  return names.includes("") ? [""] : [...names];
}

interface Line {
  timesMs: Float64Array;
  bytes: Float64Array;
}

/** At every moment at which one of them has a sample; the others count with what lies between their own samples, and nothing outside. */
export function sumOfLines(lines: readonly Line[]): Line {
  const [only] = lines;
  if (only !== undefined && lines.length === 1) return only;
  const moments = new Set<number>();
  for (const { timesMs } of lines) for (const timeMs of timesMs) moments.add(timeMs);
  const timesMs = Float64Array.from(moments).sort();
  const bytes = new Float64Array(timesMs.length);
  for (const line of lines) addLine(line, timesMs, bytes);
  return { timesMs, bytes };
}

function addLine(line: Line, timesMs: Float64Array, sums: Float64Array): void {
  let next = 0;
  for (let index = 0; index < timesMs.length; index++) {
    const now = timesMs[index] ?? 0;
    while (next < line.timesMs.length && (line.timesMs[next] ?? 0) < now) next++;
    const after = line.timesMs[next];
    if (after === undefined) return;
    const value = line.bytes[next] ?? 0;
    if (after === now) sums[index] = (sums[index] ?? 0) + value;
    else if (next > 0) sums[index] = (sums[index] ?? 0) + between(line, next, now);
  }
}

function between({ timesMs, bytes }: Line, next: number, now: number): number {
  const [from, to] = [timesMs[next - 1] ?? 0, timesMs[next] ?? 0];
  const [low, high] = [bytes[next - 1] ?? 0, bytes[next] ?? 0];
  return low + ((high - low) * (now - from)) / (to - from);
}
