/** Field schemas that both resources share. They describe the wire format; ../quantity.ts turns strings into numbers. */
import { z } from "zod";

/** A name as Kubernetes accepts it for pods and nodes (RFC 1123 subdomain). */
export const nameSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "must be a lower-case RFC 1123 name");

/** A Kubernetes quantity of bytes with a unit (1Gi, 500M). Bare integers are refused: nobody can tell their unit. */
export const quantitySchema = z
  .string()
  .regex(/^[0-9]+(\.[0-9]+)?(k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)$/, "must be a quantity such as 512Mi or 20Gi");

/** A duration: 90s, 5m, 1h30m. */
export const durationSchema = z
  .string()
  .regex(/^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/, "must be a duration such as 90s, 5m or 1h30m")
  .min(2);

/** RFC 3339, as Kubernetes writes times. */
export const timeSchema = z.string().meta({ format: "date-time" });

/** metav1.Condition. */
export const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: timeSchema,
  observedGeneration: z.int().optional(),
});
export type Condition = z.infer<typeof conditionSchema>;
