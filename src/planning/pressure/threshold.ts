import { z } from "zod";
export const threshold = {
  name: "Threshold",
  summary: "A node is short when less than freeBelow of it is free now.",
  options: z.object({}),
} as const;
