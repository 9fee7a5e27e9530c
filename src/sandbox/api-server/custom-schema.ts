/** A CRD version's schema made ready for use: pruning, defaults, validation by ajv, CEL rules and printer columns. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { type CelRules, compileRules } from "./cel-rules.ts";
import type { FieldError } from "./errors.ts";
import { isObject, type Json, type JsonObject, valueAt } from "./json.ts";

export interface PrinterColumn {
  name: string;
  type: string;
  jsonPath: string;
  description: string;
  /** 0 is shown always, more only with -o wide. */
  priority: number;
}

export interface CustomSchema {
  readonly schema: JsonObject;
  readonly columns: readonly PrinterColumn[];
  readonly rules: CelRules;
  readonly validate: ValidateFunction;
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** Throws an Error that says which rule or schema cannot be compiled. */
export function compileSchema(schema: JsonObject, columns: readonly PrinterColumn[]): CustomSchema {
  const ajv = new Ajv({ strict: false, allErrors: true, verbose: true, validateFormats: true, logger: false });
  ajv.addFormat("date-time", DATE_TIME);
  const translated = forAjv(schema);
  const validate = ajv.compile(isObject(translated) ? translated : {});
  return { schema, columns, rules: compileRules(schema), validate };
}

/** Kubernetes' extensions in the words of plain JSON Schema. */
function forAjv(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(forAjv);
  if (!isObject(schema)) return schema;
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (value === undefined || key.startsWith("x-kubernetes-") || key === "default" || key === "example") continue;
    result[key] = key === "enum" ? value : forAjv(value);
  }
  if (schema["x-kubernetes-int-or-string"]) {
    delete result.type;
    result.anyOf = [{ type: "integer" }, { type: "string" }];
  }
  if (schema.nullable && typeof schema.type === "string") result.type = [schema.type, "null"];
  return result;
}

/** After these the rules are not asked: they could not rely on what they read. */
const BLOCKING = new Set(["required", "type", "maxLength", "maxItems", "maxProperties"]);

/** What the schema has to say against an object, in the API server's words. */
export function schemaErrors(custom: CustomSchema, object: JsonObject): { errors: FieldError[]; blocking: boolean } {
  if (custom.validate(object)) return { errors: [], blocking: false };
  const found = (custom.validate.errors ?? []).filter((error) => !["anyOf", "oneOf", "if"].includes(error.keyword));
  return { errors: found.map(fieldError), blocking: found.some(({ keyword }) => BLOCKING.has(keyword)) };
}

const fieldPath = (pointer: string): string =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path ? `${path}.${step}` : step), "");

const shown = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? `"${Array.isArray(value) ? "array" : "object"}"`
    : JSON.stringify(value);

const invalidValue = (field: string, value: unknown, what: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${shown(value)}: ${field} in body ${what}`,
});

function fieldError(error: ErrorObject): FieldError {
  const field = fieldPath(error.instancePath);
  const params: Record<string, unknown> = error.params;
  switch (error.keyword) {
    case "required": {
      const missing = String(params.missingProperty);
      return {
        reason: "FieldValueRequired",
        field: field ? `${field}.${missing}` : missing,
        message: "Required value",
      };
    }
    case "enum":
      return unsupported(field, error);
    case "type":
      return invalidValue(field, error.data, `must be of type ${String(params.type)}: "${typeName(error.data)}"`);
    case "pattern":
      return invalidValue(field, error.data, `should match '${String(params.pattern)}'`);
    case "minimum":
      return invalidValue(field, error.data, `should be greater than or equal to ${String(params.limit)}`);
    case "maximum":
      return invalidValue(field, error.data, `should be less than or equal to ${String(params.limit)}`);
    case "minLength":
      return invalidValue(field, error.data, `should be at least ${String(params.limit)} chars long`);
    case "maxLength":
      return {
        reason: "FieldValueInvalid",
        field,
        message: `Too long: may not be more than ${String(params.limit)} bytes`,
      };
    case "maxItems":
      return {
        reason: "FieldValueInvalid",
        field,
        message: `Too many: must have at most ${String(params.limit)} items`,
      };
    default:
      return invalidValue(field, error.data, error.message ?? "is not valid");
  }
}

function unsupported(field: string, error: ErrorObject): FieldError {
  const allowed = Array.isArray(error.schema) ? error.schema : [];
  const listed = allowed.map((value) => JSON.stringify(value)).join(", ");
  return {
    reason: "FieldValueNotSupported",
    field,
    message: `Unsupported value: ${shown(error.data)}: supported values: ${listed}`,
  };
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** Paths of members that the schema does not know, for strict field validation. */
export function unknownFields(schema: Json | undefined, value: Json | undefined, path = ""): string[] {
  if (!isObject(schema) || schema["x-kubernetes-preserve-unknown-fields"] === true) return [];
  if (Array.isArray(value)) return value.flatMap((item, i) => unknownFields(schema.items, item, `${path}[${i}]`));
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((key) => {
    const at = path ? `${path}.${key}` : key;
    if (path === "" && ["apiVersion", "kind", "metadata"].includes(key)) return [];
    const member = memberSchema(schema, key);
    return member === undefined ? [at] : unknownFields(member, value[key], at);
  });
}

/** A copy without the members that the schema does not know. */
export function prune(schema: Json | undefined, value: Json, root = true): Json {
  if (!isObject(schema) || schema["x-kubernetes-preserve-unknown-fields"] === true) return value;
  if (Array.isArray(value)) return value.map((item) => prune(schema.items, item, false));
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    if (root && ["apiVersion", "kind", "metadata"].includes(key)) result[key] = member;
    else {
      const known = memberSchema(schema, key);
      if (known !== undefined) result[key] = prune(known, member, false);
    }
  }
  return result;
}

function memberSchema(schema: JsonObject, key: string): Json | undefined {
  const property = valueAt(schema, "properties", key);
  if (property !== undefined) return property;
  const additional = schema.additionalProperties;
  return additional === undefined || additional === false ? undefined : additional;
}

/** A copy with the schema's defaults filled in, and nulls that are not nullable dropped where a default exists. */
export function withDefaults(schema: Json | undefined, value: Json): Json {
  if (!isObject(schema)) return value;
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema.items, item));
  if (!isObject(value)) return value;
  const result: JsonObject = { ...value };
  for (const [key, property] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    if (!isObject(property)) continue;
    const missing = result[key] === undefined || (result[key] === null && property.nullable !== true);
    if (missing && property.default !== undefined) result[key] = structuredClone(property.default);
  }
  for (const [key, member] of Object.entries(result)) {
    if (member !== undefined && member !== null) result[key] = withDefaults(memberSchema(schema, key), member);
  }
  return result;
}
