/** What the formats' readers fill: everything that the files of one workload hold. */
import { compareText } from "../../planning/order.ts";
import { BrokenInputError } from "../input/broken-input.ts";
import { Names } from "../input/names.ts";
import type { SimulatedPod } from "../scenario.ts";
import { ContainerRecording } from "./container-recording.ts";
import { type DescribedPod, withRequest } from "./described-pod.ts";
import { generateWorkload } from "./generator/generate.ts";
import type { GeneratedWorkload } from "./generator/generated-workload.ts";
import { LONGEST_SECONDS, tooLong } from "./longest.ts";
import { describeRecorded, type GapTreatment, type RecordedPod } from "./recorded-pod.ts";

export interface WorkloadOptions {
  /** Default: interpolate. */
  gaps?: GapTreatment | undefined;
  /**
   * What pods request, as a part of their peak (of the predecessor's jobs: of their class's size). Absent: what their file says, else half
   * of the peak.
   */
  requestFactor?: number | undefined;
  /** When the simulation ends, whatever the workload says. Absent: one of more than a year is refused. */
  untilSeconds?: number | undefined;
}

export interface Workload {
  /** True if another seed means other pods. */
  seeded: boolean;
  /** In order of arrival; the same seed, the same pods. */
  podsOf(seed: number): readonly SimulatedPod[];
  /**
   * When a simulation of it should end: a generated workload's own duration; of recorded pods when the last one has ended, and a tenth
   * more of the runtime of what finishes, so that what was delayed may finish too.
   */
  endSeconds: number;
}

export interface PodName {
  namespace: string;
  name: string;
}

export const fullName = ({ namespace, name }: PodName) => `${namespace}/${name}`;

/** Readers push here. */
export class Intake {
  readonly described: DescribedPod[] = [];
  readonly recorded: RecordedPod[] = [];
  readonly containers = new ContainerRecording();
  readonly generated: GeneratedWorkload[] = [];
  /** Of all but the generated pods. */
  readonly names = new Names({
    expected: "expected different pods",
    advice: "give one of them another name or namespace",
  });

  /** Throws a BrokenInputError when it lasts too long; `file` stands for all of them. So does `podsOf` when generated pods have a name that is taken. */
  workload(file: string, options: WorkloadOptions): Workload {
    const { gaps = "interpolate", requestFactor, untilSeconds } = options;
    const recorded = [...this.recorded, ...this.containers.pods()];
    const described = [...this.described, ...describeRecorded(recorded, gaps)];
    const fixed = described.map((pod) => withRequest(pod, requestFactor)).sort(byArrival);
    const generated = this.generated.map((one) => withFactor(one, requestFactor));
    const podsOf = (seed: number) =>
      generated.length === 0
        ? fixed
        : distinct(file, [...fixed, ...generated.flatMap((one) => generateWorkload(one, seed))]);
    const latest = latestEnd(fixed);
    const endSeconds =
      Math.ceil(Math.max(...generated.map(({ duration }) => duration), latest.seconds)) || LEAST_SECONDS;
    if (untilSeconds === undefined && endSeconds > LONGEST_SECONDS)
      throw new BrokenInputError([{ file, message: tooLong(recorded, { ...latest, seconds: endSeconds }) }]);
    return { seeded: generated.length > 0, podsOf, endSeconds };
  }
}

const byArrival = (a: SimulatedPod, b: SimulatedPod) =>
  a.arrivalSeconds - b.arrivalSeconds || compareText(a.namespace, b.namespace) || compareText(a.name, b.name);

function withFactor(generated: GeneratedWorkload, factor: number | undefined): GeneratedWorkload {
  return factor === undefined ? generated : { ...generated, requests: { ...generated.requests, factor } };
}

function distinct(file: string, pods: SimulatedPod[]): SimulatedPod[] {
  const names = new Set<string>();
  for (const { namespace, name } of pods.sort(byArrival)) {
    const full = `${namespace}/${name}`;
    if (names.has(full)) {
      const message = `expected different pods; ${full} is there twice, and a GeneratedWorkload makes one of them: give that another namespace`;
      throw new BrokenInputError([{ file, message }]);
    }
    names.add(full);
  }
  return pods;
}

const SLACK = 0.1;
/** Where nothing in the files tells how long to look: pods that never change. */
const LEAST_SECONDS = 3600;

function latestEnd(pods: readonly SimulatedPod[]): { pod: SimulatedPod | undefined; seconds: number } {
  return pods.reduce<{ pod: SimulatedPod | undefined; seconds: number }>(
    (latest, pod) => (endOf(pod) > latest.seconds ? { pod, seconds: endOf(pod) } : latest),
    { pod: undefined, seconds: 0 },
  );
}

function endOf({ arrivalSeconds, durationSeconds, trace }: SimulatedPod): number {
  const work = durationSeconds === undefined ? (trace.seconds.at(-1) ?? 0) : durationSeconds * (1 + SLACK);
  return arrivalSeconds + work;
}
