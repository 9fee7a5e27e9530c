import { z } from "zod";
export const optimal = {
  name: "Optimal",
  summary: "The pods that together come closest to the pressure from below, those moved before counting less.",
  options: z.object({}),
} as const;
