/** Sizes and runtimes that vary by orders of magnitude, as those of real jobs do. Pure. */
import { z } from "zod";
import type { Random } from "../../random.ts";

/**
 * `BoundedPareto`: most draws lie near `min`, few reach `max`; the smaller `shape`, the heavier the tail (1.1 is common for jobs).
 * `LogNormal`: half of the draws lie below `median`; `sigma` is the standard deviation of the logarithm; cut off at `min` and `max`.
 */
export type Distribution =
  | { distribution: "BoundedPareto"; min: number; max: number; shape: number }
  | { distribution: "LogNormal"; median: number; sigma: number; min: number; max: number };

/** `amount`: the field of min, max and median. */
export function distributionSchema(amount: z.ZodType<number>, factor: z.ZodType<number>) {
  return z
    .discriminatedUnion("distribution", [
      z.strictObject({ distribution: z.literal("BoundedPareto"), min: amount, max: amount, shape: factor }),
      z.strictObject({ distribution: z.literal("LogNormal"), median: amount, sigma: factor, min: amount, max: amount }),
    ])
    .superRefine(({ min, max }, context) => {
      if (max < min) context.addIssue({ code: "custom", path: ["max"], message: "expected no less than min" });
    });
}

export function draw(from: Distribution, random: Random): number {
  if (from.distribution === "LogNormal") {
    const value = from.median * Math.exp(from.sigma * random.normal());
    return Math.min(from.max, Math.max(from.min, value));
  }
  const { min, max, shape } = from;
  // The inverse of the distribution function.
  const value = min * (1 - random.next() * (1 - (min / max) ** shape)) ** (-1 / shape);
  return Math.min(max, value);
}

/** A number between the two, all equally likely. */
export function between(low: number, high: number, random: Random): number {
  return low + (high - low) * random.next();
}

/** One of the names, each as likely as its weight; undefined when all weights are 0. */
export function pick<K extends string>(weights: Readonly<Record<K, number>>, random: Random): K | undefined {
  // The keys of a record of K are K.
  const entries = Object.entries(weights) as [K, number][];
  let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return undefined;
}
