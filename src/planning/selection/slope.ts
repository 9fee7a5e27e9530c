import { z } from "zod";
import { admitted, parseDuration, parseQuantity } from "../../api/quantity.ts";
import { durationBetween, quantitySchema } from "../../api/v1alpha1/fields.ts";
import { strategy } from "../strategy.ts";
import type { Candidate, SelectionFunction } from "./selection.ts";

/**
 * The steepest growing pods, until what the others that grow fast will use within `ahead` fits into what is free now. How much
 * was asked for does not matter. Only pods that grow by more than `growthAbove` a minute count.
 *
 * Good: moves the cause of the pressure, wherever it is still small and its freeze short. Bad: a node that is full of pods
 * that don't grow is not relieved at all. A pod whose growth is not known is never chosen.
 */
export const slopeSelection = strategy<SelectionFunction>()({
  name: "Slope",
  summary: "The fastest growing pods, until the growth of the others fits into what is free.",
  options: z.object({
    ahead: durationBetween("1s", "24h").default("5m").describe("How far ahead growth is added up."),
    growthAbove: quantitySchema.default("1Gi").describe("Growth per minute above which a pod counts."),
  }),
  configure: ({ ahead, growthAbove }) => {
    const aheadMinutes = admitted(parseDuration, ahead) / 60;
    const leastBytes = admitted(parseQuantity, growthAbove);
    return (candidates, _amountBytes, { freeBytes }) => {
      const growing = candidates.filter((candidate) => growthOf(candidate) > leastBytes);
      const steepest = growing.toSorted((a, b) => growthOf(b) - growthOf(a));
      return untilItFits(steepest, freeBytes / aheadMinutes);
    };
  },
});

const growthOf = ({ growthBytesPerMinute = 0 }: Candidate) => growthBytesPerMinute;

/** `bufferBytes`: growth per minute that fits. */
function untilItFits(steepest: readonly Candidate[], bufferBytes: number): Candidate[] {
  let left = steepest.reduce((sum, candidate) => sum + growthOf(candidate), 0);
  const chosen: Candidate[] = [];
  for (const candidate of steepest) {
    if (left <= bufferBytes) break;
    chosen.push(candidate);
    left -= growthOf(candidate);
  }
  return chosen;
}
