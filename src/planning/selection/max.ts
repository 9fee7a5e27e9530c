import { z } from "zod";
export const max = {
  name: "Max",
  summary: "The biggest pods first, until the node is relieved.",
  options: z.object({}),
} as const;
