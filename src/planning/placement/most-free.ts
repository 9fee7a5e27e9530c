import { z } from "zod";
export const mostFree = {
  name: "MostFree",
  summary: "The node with the greatest free part of its capacity.",
  options: z.object({}),
} as const;
