/**
 * Pods made up from a description and a seed. The same seed gives the same pods on every machine; the pods of different seeds differ in
 * everything. Each pod has random numbers of its own: the first ten of a hundred are the first ten of a thousand.
 */
import { type Random, randomOf } from "../../random.ts";
import type { SimulatedPod } from "../../scenario.ts";
import { type Arrivals, arrivalsOf } from "./arrivals.ts";
import { draw, pick } from "./distributions.ts";
import type { GeneratedWorkload } from "./generated-workload.ts";
import { type Kind, SHAPES } from "./shapes.ts";
import { traceOf } from "./trace.ts";

/** The label that tells what a generated pod does. */
export const KIND_LABEL = "workload";

/** In order of arrival. */
export function generateWorkload(options: GeneratedWorkload, seed: number): SimulatedPod[] {
  const arrival = arrivalsOf(withDefaults(options), randomOf(seed, "arrivals"));
  const digits = String(Math.max(0, options.pods - 1)).length;
  const pods = Array.from({ length: options.pods }, (_, index) => {
    const random = randomOf(seed, "pod", index);
    return generatePod(options, String(index).padStart(digits, "0"), arrival(random), random);
  });
  return pods.sort((a, b) => a.arrivalSeconds - b.arrivalSeconds);
}

function withDefaults({ arrivals, duration }: GeneratedWorkload): Arrivals {
  return arrivals.pattern === "AtStart" ? arrivals : { ...arrivals, over: arrivals.over ?? 0.75 * duration };
}

function generatePod(options: GeneratedWorkload, number: string, arrivalSeconds: number, random: Random): SimulatedPod {
  const kind = pick(options.kinds, random) ?? "idle";
  const peakBytes = Math.round(draw(options.peak, random));
  const endless = random.next() < options.endless;
  const runtime = Math.round(draw(options.runtime, random));
  // What never finishes goes through its course once while it is watched.
  const workSeconds = Math.max(1, endless ? options.duration - arrivalSeconds : runtime);
  const owned = ownersFigures(options, { peakBytes, runtime: endless ? undefined : workSeconds }, random);
  const corners = SHAPES[kind](workSeconds, random);
  return {
    namespace: options.namespace,
    name: `${NAMES[kind]}-${number}`,
    arrivalSeconds,
    durationSeconds: endless ? undefined : workSeconds,
    trace: traceOf(corners, { peakBytes, noise: options.noise, points: options.points }, random),
    labels: { ...options.labels, [KIND_LABEL]: NAMES[kind] },
    annotations: {},
    ...owned,
  };
}

const NAMES: Readonly<Record<Kind, string>> = {
  idle: "idle",
  rampPlateau: "ramp-plateau",
  step: "step",
  spikeRelease: "spike-release",
  leak: "leak",
};

type OwnersFigures = Pick<SimulatedPod, "requestBytes" | "limitBytes" | "expectedRuntimeSeconds">;

/** What an owner writes on a pod: guesses. The numbers drawn are the same whatever the options say. */
function ownersFigures(
  { requests, limits, expectedRuntime, minimum }: GeneratedWorkload,
  { peakBytes, runtime }: { peakBytes: number; runtime: number | undefined },
  random: Random,
): OwnersFigures {
  const request = peakBytes * requests.factor * Math.exp(requests.error * random.normal());
  const known = random.next() < expectedRuntime.known;
  const expected = (runtime ?? 0) * Math.exp(expectedRuntime.error * random.normal());
  const limitBytes = limits === undefined ? undefined : Math.round(peakBytes * limits.factor);
  const requestBytes = Math.round(Math.max(minimum, request));
  return {
    requestBytes: Math.min(requestBytes, limitBytes ?? requestBytes),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(known && runtime !== undefined && { expectedRuntimeSeconds: Math.max(1, Math.round(expected)) }),
  };
}
