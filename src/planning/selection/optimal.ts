import { z } from "zod";
import { strategy } from "../strategy.ts";
import { knapsack } from "./knapsack.ts";
import type { SelectionFunction } from "./selection.ts";

/**
 * Fills the amount from below: of all sets of pods that together use at most the amount, the one of the greatest value. A
 * pod's value is its memory, halved for each time that its lineage was moved before.
 *
 * Good: many small pods, and no pod is moved over and over. Bad: the node stays a little short, and a pod that is bigger than
 * the amount never moves; with few, big pods use Max.
 *
 * The predecessor searched by brute force over aliased slices (a wrong set in one case of ten), truncated to whole
 * gigabytes and guessed the earlier moves from the pod's name; this is an exact knapsack over the unit that
 * ./knapsack.ts states, and the moves are counted by lineage. Its floor of 5 GB is `eligibility.minMemory`.
 */
export const optimal = strategy<SelectionFunction>()({
  name: "Optimal",
  summary: "The pods that together come closest to the pressure from below, those moved before counting less.",
  options: z.object({}),
  configure: () => (candidates, amountBytes) => {
    const items = candidates.map(({ pod, reliefBytes }) => ({
      weight: reliefBytes,
      value: 0.5 ** pod.migrations * reliefBytes,
    }));
    return knapsack(items, amountBytes).flatMap((index) => candidates[index] ?? []);
  },
});
