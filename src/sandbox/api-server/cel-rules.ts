/**
 * `x-kubernetes-validations`: CEL rules of a CRD's schema. `self` is the value the rule is attached to; a rule that
 * mentions `oldSelf` is a transition rule and is asked only when the value was there before.
 */
import { Environment, type ParseResult } from "@marcbachmann/cel-js";
import type { FieldError } from "./errors.ts";
import { isObject, type Json, type JsonObject, stringAt } from "./json.ts";

interface Rule {
  source: string;
  evaluate: ParseResult;
  transition: boolean;
  message: string | undefined;
  messageExpression: ParseResult | undefined;
  /** Below the value's own path, e.g. `.freeBelow`. */
  fieldPath: string;
  reason: FieldError["reason"];
}

/** The rules of a schema and of what lies below it. */
export interface CelRules {
  schema: JsonObject;
  rules: Rule[];
  properties: Map<string, CelRules>;
  items: CelRules | undefined;
  additional: CelRules | undefined;
}

const BINARY: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 };
const DECIMAL: Record<string, number> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18, "": 1 };
const QUANTITY = /^([+-]?[0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|Ei|m|k|M|G|T|P|E|)$/;

/** A Kubernetes quantity as a number of its base unit; undefined when it is none. */
export function quantityValue(text: string): number | undefined {
  const match = QUANTITY.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (BINARY[match[2] ?? ""] ?? DECIMAL[match[2] ?? ""] ?? 1);
}

class Quantity {
  readonly value: number;
  constructor(text: string) {
    const value = quantityValue(text);
    if (value === undefined) throw new Error(`not a quantity: ${text}`);
    this.value = value;
  }
}

/** CEL with what Kubernetes adds to it and CRDs of this size use. */
function environment(): Environment {
  return new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
  })
    .registerType("Quantity", Quantity)
    .registerFunction("quantity(string): Quantity", (text: string) => new Quantity(text))
    .registerFunction("isQuantity(string): bool", (text: string) => quantityValue(text) !== undefined)
    .registerFunction("Quantity.isLessThan(Quantity): bool", (a: Quantity, b: Quantity) => a.value < b.value)
    .registerFunction("Quantity.isGreaterThan(Quantity): bool", (a: Quantity, b: Quantity) => a.value > b.value)
    .registerFunction("Quantity.compareTo(Quantity): int", (a: Quantity, b: Quantity) =>
      BigInt(Math.sign(a.value - b.value)),
    );
}

const CEL = environment();

export function compileRules(schema: JsonObject): CelRules {
  const declared = schema["x-kubernetes-validations"];
  const properties = new Map<string, CelRules>();
  for (const [key, property] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    if (isObject(property)) properties.set(key, compileRules(property));
  }
  return {
    schema,
    rules: Array.isArray(declared) ? declared.map(compileRule) : [],
    properties,
    items: isObject(schema.items) ? compileRules(schema.items) : undefined,
    additional: isObject(schema.additionalProperties) ? compileRules(schema.additionalProperties) : undefined,
  };
}

function compileRule(declared: Json): Rule {
  const source = stringAt(declared, "rule") ?? "";
  const messageExpression = stringAt(declared, "messageExpression");
  return {
    source,
    evaluate: parse(source),
    transition: /\boldSelf\b/.test(source),
    message: stringAt(declared, "message"),
    messageExpression: messageExpression === undefined ? undefined : parse(messageExpression),
    fieldPath: stringAt(declared, "fieldPath") ?? "",
    reason: reasonOf(stringAt(declared, "reason")),
  };
}

function parse(source: string): ParseResult {
  try {
    return CEL.parse(source);
  } catch (cause) {
    throw new Error(`the CEL expression cannot be compiled: ${source}`, { cause });
  }
}

function reasonOf(declared: string | undefined): FieldError["reason"] {
  if (declared === "FieldValueRequired" || declared === "FieldValueForbidden") return declared;
  return "FieldValueInvalid";
}

/** What the rules have to say against a value; `old` is what it was before, undefined on creation. */
export function ruleErrors(rules: CelRules, value: Json | undefined, old: Json | undefined, path = ""): FieldError[] {
  if (value === undefined || value === null) return [];
  const own = rules.rules.flatMap((rule) => ruleError(rule, rules.schema, value, old, path));
  return [...own, ...errorsBelow(rules, value, old, path)];
}

function errorsBelow(rules: CelRules, value: Json, old: Json | undefined, path: string): FieldError[] {
  if (Array.isArray(value)) {
    // Items of a list have no "before": Kubernetes correlates them only in lists of type map, which we do not use rules in.
    const items = rules.items;
    return items ? value.flatMap((item, i) => ruleErrors(items, item, undefined, `${path}[${i}]`)) : [];
  }
  if (!isObject(value)) return [];
  const before = isObject(old) ? old : {};
  return Object.keys(value).flatMap((key) => {
    const below = rules.properties.get(key) ?? rules.additional;
    return below ? ruleErrors(below, value[key], before[key], path ? `${path}.${key}` : key) : [];
  });
}

function ruleError(rule: Rule, schema: JsonObject, value: Json, old: Json | undefined, path: string): FieldError[] {
  if (rule.transition && (old === undefined || old === null)) return [];
  const context = { self: celValue(value, schema), oldSelf: old === undefined ? null : celValue(old, schema) };
  try {
    if (rule.evaluate(context) === true) return [];
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return [failure(rule, value, path, `rule evaluation error: ${why}`)];
  }
  return [failure(rule, value, path, messageOf(rule, context))];
}

function messageOf(rule: Rule, context: Record<string, unknown>): string {
  if (rule.messageExpression) {
    try {
      return String(rule.messageExpression(context));
    } catch {
      // As in Kubernetes, the fixed message stands in for one that cannot be evaluated.
    }
  }
  return rule.message ?? `failed rule: ${rule.source}`;
}

function failure(rule: Rule, value: Json, path: string, message: string): FieldError {
  const field = `${path}${rule.fieldPath}`.replace(/^\./, "") || "<nil>";
  const shown = typeof value === "object" ? `"${Array.isArray(value) ? "array" : "object"}"` : JSON.stringify(value);
  const kind = { FieldValueRequired: "Required value", FieldValueForbidden: "Forbidden" }[String(rule.reason)];
  return { reason: rule.reason, field, message: kind ? `${kind}: ${message}` : `Invalid value: ${shown}: ${message}` };
}

/** CEL tells ints from doubles; JSON does not, so the schema decides. */
function celValue(value: Json, schema: Json | undefined): unknown {
  if (typeof value === "number") {
    const type = stringAt(schema, "type");
    const integer = type === "integer" || (type !== "number" && Number.isInteger(value));
    return integer && Number.isInteger(value) ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map((item) => celValue(item, isObject(schema) ? schema.items : undefined));
  if (!isObject(value)) return value;
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  const additional = isObject(schema) ? schema.additionalProperties : undefined;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) =>
      member === undefined ? [] : [[key, celValue(member, properties[key] ?? additional)]],
    ),
  );
}
