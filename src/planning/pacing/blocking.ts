import { z } from "zod";
import { durationBetween } from "../../api/v1alpha1/fields.ts";
export const blocking = {
  name: "Blocking",
  summary: "One move at a time in the whole cluster, with a pause after each.",
  options: z.object({
    pause: durationBetween("0s", "24h").default("30s").describe("How long after a move's end no other starts."),
  }),
} as const;
