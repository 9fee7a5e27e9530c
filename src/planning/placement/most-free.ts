import { z } from "zod";
import { strategy } from "../strategy.ts";
import type { PlacementFunction } from "./placement.ts";

/**
 * The node with the greatest free part of its capacity, reservations counted; when the pod doesn't fit there, the next.
 *
 * Good: spreads load, and the target is the last to be short again. Bad: big contiguous room is used up by small pods.
 *
 * The predecessor looked at one target only, did not reserve for moves under way, and ignored the node it had chosen.
 */
export const mostFree = strategy<PlacementFunction>()({
  name: "MostFree",
  summary: "The node with the greatest free part of its capacity.",
  options: z.object({}),
  configure: () => (target) => target.freeBytes / target.capacityBytes,
});
