import { z } from "zod";
import { strategy } from "../strategy.ts";
import type { PlacementFunction } from "./placement.ts";

/**
 * The node with the smallest load: the greater of the part of its memory that is used and the part that its pods have
 * requested, reservations counted.
 *
 * Good: spreads what pods were promised as well as what they use, as the scheduler does. Bad: generous requests make a node
 * look full that has most of its memory free.
 */
export const leastLoaded = strategy<PlacementFunction>()({
  name: "LeastLoaded",
  summary: "The node of which the smallest part is used or requested.",
  options: z.object({}),
  configure: () => (target) => {
    const used = 1 - target.freeBytes / target.capacityBytes;
    const requested = target.allocatableBytes > 0 ? target.requestedBytes / target.allocatableBytes : 1;
    return -Math.max(used, requested);
  },
});
