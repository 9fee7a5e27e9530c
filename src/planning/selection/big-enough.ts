import { z } from "zod";
import { strategy } from "../strategy.ts";
import type { SelectionFunction } from "./selection.ts";

/**
 * The smallest pod that relieves the node by itself; none when none is as big as the amount.
 *
 * Good: one move, and of those that suffice the one with the shortest freeze. Bad: nothing moves when no single pod is big
 * enough; where that happens use Max or Optimal. As the predecessor's, but nothing chosen is an answer, not an error.
 */
export const bigEnough = strategy<SelectionFunction>()({
  name: "BigEnough",
  summary: "The smallest pod that relieves the node by itself.",
  options: z.object({}),
  configure: () => (candidates, amountBytes) => {
    const enough = candidates.filter(({ reliefBytes }) => reliefBytes >= amountBytes);
    const least = Math.min(...enough.map(({ reliefBytes }) => reliefBytes));
    return enough.filter(({ reliefBytes }) => reliefBytes === least).slice(0, 1);
  },
});
