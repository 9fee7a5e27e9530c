import { z } from "zod";
import { strategy } from "../strategy.ts";
import { isUnderWay, type PacingAnswer, type PacingFunction } from "./pacing.ts";

const wait = (reason: string, message: string): PacingAnswer => ({ ok: false, reason, message });

/**
 * Moves start while others are under way, up to `maxPerCluster` in all, and up to `maxPerNode` from each node and to each node.
 * A pod whose move has not ended is not considered, and what moves under way will take and free is reckoned with.
 *
 * Good: several nodes that fill up at once are relieved at once. Bad: moves share the network, so each takes longer, and
 * decisions are made before the effect of the last is measured.
 *
 * The predecessor knew no limit.
 */
export const concurrent = strategy<PacingFunction>()({
  name: "Concurrent",
  summary: "Moves start while others are under way, up to a number for each node and for the cluster.",
  options: z.object({
    maxPerNode: z.int().min(1).max(100).default(2).describe("Moves at once from a node, and as many to a node."),
    maxPerCluster: z.int().min(1).max(1000).default(5).describe("Moves at once in the cluster, everyone's."),
  }),
  configure: ({ maxPerNode, maxPerCluster }) => {
    return ({ moves, planned }) => {
      const left = maxPerCluster - planned - moves.filter(isUnderWay).length;
      if (left < 1) return wait("MovesPerCluster", `${maxPerCluster} moves are under way in the cluster`);
      return { ok: true, mostMoves: left, mostPerNode: maxPerNode };
    };
  },
});
