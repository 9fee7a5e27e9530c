/** What a policy's pacing admits of one node, whatever the strategy. */
import type { Policy } from "../policy.ts";
import type { PacingAnswer } from "./pacing.ts";

export function withinTheNode(answer: PacingAnswer, { maxMovesPerNode }: Policy): PacingAnswer {
  if (!answer.ok || maxMovesPerNode === undefined) return answer;
  return { ...answer, mostPerNode: Math.min(maxMovesPerNode, answer.mostPerNode ?? maxMovesPerNode) };
}
