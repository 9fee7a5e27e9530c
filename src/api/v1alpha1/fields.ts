/** Field schemas that both resources share. They describe the wire format; ../quantity.ts turns strings into numbers. */
import { z } from "zod";
import { DURATION_PATTERN, PERCENT_PATTERN, parseDuration, QUANTITY_PATTERN } from "../quantity.ts";
import { formatted, withRules } from "./rules.ts";

/** A name as Kubernetes accepts it for pods and nodes (RFC 1123 subdomain). */
export const nameSchema = formatted(
  z.string().min(1).max(253),
  /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  "must be a lower-case RFC 1123 name",
);

/** A Kubernetes quantity of bytes with a unit (1Gi, 500M). Bare integers are refused: nobody can tell their unit. */
export const quantitySchema = formatted(
  z.string().max(32),
  QUANTITY_PATTERN,
  "must be a quantity with a unit, such as 512Mi or 20Gi; a bare number is refused",
);

/** A part of a whole: 0% to 100%. */
export const percentSchema = formatted(
  z.string().max(16),
  PERCENT_PATTERN,
  "must be a percentage from 0% to 100%, such as 80%",
);

/** A percentage of a node's capacity, or a quantity of bytes. */
export const amountSchema = formatted(
  z.string().max(32),
  new RegExp(`${PERCENT_PATTERN.source}|${QUANTITY_PATTERN.source}`),
  "must be a percentage of the node's capacity up to 100%, such as 20%, or a quantity with a unit, such as 20Gi; a bare number is refused",
);

/** A duration: 90s, 5m, 1h30m. */
export const durationSchema = formatted(
  z.string().min(2).max(16),
  DURATION_PATTERN,
  "must be a duration such as 90s, 5m or 1h30m",
);

/** A duration with bounds, both written as durations. */
export function durationBetween(least: string, most: string) {
  const [low, high] = [parseDuration(least) ?? 0, parseDuration(most) ?? 0];
  const inBounds = (text: string) => {
    const seconds = parseDuration(text);
    return seconds === undefined || (seconds >= low && seconds <= high);
  };
  const rule = `!self.matches('${DURATION_PATTERN.source}') || (duration(self) >= duration('${least}') && duration(self) <= duration('${most}'))`;
  return withRules(durationSchema, [{ rule, message: `must be from ${least} to ${most}`, check: inBounds }]);
}

/** RFC 3339, as Kubernetes writes times. */
export const timeSchema = z.string().meta({ format: "date-time" });

/** A label's key, as in a selector. */
const labelKeySchema = z.string().min(1).max(317);

const labelRequirementSchema = withRules(
  z.object({
    key: labelKeySchema.describe("The label's key."),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).describe("How the label is compared to the values."),
    values: z.array(z.string().max(63)).max(64).optional().describe("For In and NotIn."),
  }),
  [
    {
      rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
      message: "values must be given for In and NotIn, and only for these",
      fieldPath: ".values",
      check: ({ operator, values = [] }) => operator.endsWith("In") === values.length > 0,
    },
  ],
);

/** metav1.LabelSelector. Empty selects everything. */
export const labelSelectorSchema = z.object({
  matchLabels: z
    .record(z.string(), z.string().max(63))
    .optional()
    .describe("Labels that must all be there with these values."),
  matchExpressions: z.array(labelRequirementSchema).max(32).optional().describe("Requirements that must all be met."),
});
export type LabelSelector = z.infer<typeof labelSelectorSchema>;

/** metav1.Condition. */
export const conditionSchema = z.object({
  type: z.string().max(316).describe("What the condition is about."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z.string().max(1024).describe("Why, in one CamelCase word."),
  message: z.string().max(32768).describe("Why, in a sentence."),
  lastTransitionTime: timeSchema.describe("When the status last changed."),
  observedGeneration: z.int().optional().describe("The metadata.generation that this was said of."),
});
export type Condition = z.infer<typeof conditionSchema>;
