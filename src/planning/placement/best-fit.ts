import { z } from "zod";
import { strategy } from "../strategy.ts";
import type { PlacementFunction } from "./placement.ts";

/**
 * Of the nodes where the pod fits with room to spare, the one with the least free memory, in bytes.
 *
 * Good: keeps big contiguous room for big pods, and nodes empty that could be given back. Bad: the target is the first to be
 * short again; use it for pods that don't grow.
 */
export const bestFit = strategy<PlacementFunction>()({
  name: "BestFit",
  summary: "Of the nodes with room to spare, the one with the least free memory.",
  options: z.object({}),
  configure: () => (target) => -target.freeBytes,
});
