/** Rules that a type cannot express, stated once: as CEL for the API server and as a check for everyone else. */
import type { z } from "zod";

/** An entry of `x-kubernetes-validations`. */
export interface CelRule {
  rule: string;
  message: string;
  /** Relative to the schema it stands on, e.g. `.reopenBelow`: names the field in the API server's answer. */
  fieldPath?: string;
}

export interface Rule<T> extends CelRule {
  /** The same rule for zod. */
  check: (value: T) => boolean;
}

export const CEL_KEY = "x-kubernetes-validations";

/** The schema with these rules, in zod and in the CRD. Last in a chain: a later `.meta()` would replace the CEL rules. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  let result: S = schema;
  const inherited = schema.meta()?.[CEL_KEY];
  for (const { check, message, fieldPath } of rules) {
    result = result.refine(check, { message, path: fieldPath?.split(".").filter(Boolean) ?? [] });
  }
  const cel = [...(Array.isArray(inherited) ? inherited : []), ...rules.map(({ check: _, ...rule }) => rule)];
  return result.meta({ ...schema.meta(), [CEL_KEY]: cel });
}

/** The schema with CEL rules that compare an object with what it was (`oldSelf`): only the API server can check them. */
export function withTransitionRules<S extends z.ZodType>(schema: S, rules: readonly CelRule[]): S {
  return schema.meta({ ...schema.meta(), [CEL_KEY]: rules });
}

/** A string that must match: the API server answers with the message, not with the expression. */
export function formatted<S extends z.ZodType<string>>(schema: S, pattern: RegExp, message: string): S {
  const rule = `self.matches('${pattern.source.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}')`;
  return withRules(schema, [{ rule, message, check: (text) => pattern.test(text) }]);
}
