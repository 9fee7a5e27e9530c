import { z } from "zod";
import { strategy } from "../strategy.ts";
import type { Candidate, SelectionFunction } from "./selection.ts";

/**
 * The biggest pod; when it is smaller than the amount, the next biggest too, and so on until the amount is covered.
 *
 * Good: few moves. Bad: the biggest pod has the longest freeze, and far more may be moved than was asked for.
 *
 * The predecessor refused to move anything when its biggest pod was smaller than the amount, which is when the node is
 * worst off; here every pod that brings relief counts.
 */
export const max = strategy<SelectionFunction>()({
  name: "Max",
  summary: "The biggest pods first, until the node is relieved.",
  options: z.object({}),
  configure: () => (candidates, amountBytes) => {
    const chosen: Candidate[] = [];
    let missing = amountBytes;
    for (const candidate of candidates) {
      if (missing <= 0) break;
      chosen.push(candidate);
      missing -= candidate.reliefBytes;
    }
    return chosen;
  },
});
