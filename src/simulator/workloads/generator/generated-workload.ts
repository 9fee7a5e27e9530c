/**
 * What is to be generated, as it is written down (YAML or JSON): every field has a default, so that
 * `{apiVersion: headroom.dev/v1alpha1, kind: GeneratedWorkload}` is a workload: 350 pods over 4 hours, about right for 10 nodes of 64 GiB.
 * The defaults request half of what pods need at their peak, so that nodes are packed tighter than their memory allows.
 */
import { z } from "zod";
import { API_VERSION } from "../../../api/v1alpha1/group.ts";
import { factorField, fractionField, labelsField, shapeField, sizeField, spanField } from "../../input/fields.ts";
import { distributionSchema } from "./distributions.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

const kinds = z.strictObject({
  idle: factorField.default(0).describe("Holds what it has."),
  rampPlateau: factorField.default(0).describe("Loads its data, then works on it."),
  step: factorField.default(0).describe("Stages, each of which needs more."),
  spikeRelease: factorField.default(0).describe("Needs little, and now and then everything for some minutes."),
  leak: factorField.default(0).describe("Grows until it ends."),
});

const arrivals = z.discriminatedUnion("pattern", [
  z.strictObject({ pattern: z.literal("AtStart") }),
  z.strictObject({
    pattern: z.literal("Poisson"),
    atStart: fractionField.default(0.3).describe("Part of the pods that are there at the start."),
    over: spanField.optional().describe("The others come within this. Absent: three quarters of the duration."),
  }),
  z.strictObject({
    pattern: z.literal("Bursts"),
    atStart: fractionField.default(0.3).describe("Part of the pods that are there at the start."),
    over: spanField.optional().describe("The bursts come within this. Absent: three quarters of the duration."),
    count: z.int().min(1).max(10_000).default(4).describe("Bursts."),
    spread: spanField.default(120).describe("A burst's pods come within about this."),
  }),
]);

const size = distributionSchema(sizeField, shapeField);
const span = distributionSchema(spanField, shapeField);

export const generatedWorkloadSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("GeneratedWorkload"),
  metadata: z.looseObject({}).optional(),
  duration: spanField.default(4 * 3600).describe("Of the simulation."),
  pods: z.int().min(0).max(1_000_000).default(350).describe("How many come in all."),
  namespace: z.string().min(1).default("default"),
  labels: labelsField.default({}).describe("On every pod; the label workload tells its kind besides."),
  kinds: kinds
    .default({ idle: 30, rampPlateau: 30, step: 15, spikeRelease: 15, leak: 10 })
    .refine((weights) => Object.values(weights).some((weight) => weight > 0), "expected a weight above 0")
    .describe("What pods do, by weight."),
  peak: size
    .default({ distribution: "BoundedPareto", min: 2 * GiB, max: 32 * GiB, shape: 1.1 })
    .describe("The most that a pod uses."),
  runtime: span
    .default({ distribution: "BoundedPareto", min: 15 * 60, max: 8 * 3600, shape: 0.9 })
    .describe("Work until a pod has finished."),
  endless: fractionField.default(0.1).describe("Part of the pods that never finish."),
  arrivals: arrivals.default({ pattern: "Poisson", atStart: 0.3 }).describe("When pods come."),
  requests: z
    .strictObject({
      factor: factorField.default(0.5).describe("Of the peak: what a pod requests on average."),
      error: factorField.default(0.3).describe("Standard deviation of the request's logarithm: owners guess."),
    })
    .default({ factor: 0.5, error: 0.3 }),
  limits: z
    .strictObject({ factor: shapeField.describe("Of the peak; below 1 the pod is killed when it gets there.") })
    .optional()
    .describe("Absent: pods have no limit."),
  expectedRuntime: z
    .strictObject({
      known: fractionField.default(0.5).describe("Part of the pods whose owner says how long they run."),
      error: factorField.default(0.2).describe("Standard deviation of that figure's logarithm."),
    })
    .default({ known: 0.5, error: 0.2 }),
  noise: factorField.default(0.02).describe("Standard deviation of the logarithm of memory around its course."),
  points: z.int().min(8).max(1000).default(60).describe("Of a trace; memory changes along straight lines in between."),
  minimum: sizeField.default(16 * MiB).describe("The least that a pod requests."),
});

/** Bytes, seconds, parts of one. */
export type GeneratedWorkload = z.output<typeof generatedWorkloadSchema>;
/** As written: quantities, durations and percentages, all but apiVersion and kind may be absent. */
export type WrittenGeneratedWorkload = z.input<typeof generatedWorkloadSchema>;
