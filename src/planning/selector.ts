/** Label selectors, as Kubernetes matches them. */
import type { LabelSelector } from "../api/v1alpha1/fields.ts";

export type Labels = Readonly<Record<string, string>>;
type Requirement = NonNullable<LabelSelector["matchExpressions"]>[number];
type Matches = (labels: Labels) => boolean;

export function labelValue(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** `value`: of the label; undefined: there is none of this key. */
export function meets(
  value: string | undefined,
  { operator, values = [] }: Pick<Requirement, "operator" | "values">,
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** True when all of the selector's requirements are met; the empty selector matches everything. Read once, asked often. */
export function labelMatcher({ matchLabels = {}, matchExpressions = [] }: LabelSelector): Matches {
  const equal = Object.entries(matchLabels);
  if (equal.length + matchExpressions.length === 0) return () => true;
  return (labels) => {
    for (const [key, value] of equal) if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
    return matchExpressions.every((requirement) => meets(labelValue(labels, requirement.key), requirement));
  };
}

/** {@link labelMatcher}, asked once. */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  return labelMatcher(selector)(labels);
}
