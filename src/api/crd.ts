/** A CustomResourceDefinition out of a zod schema: structural, with defaults, bounds, descriptions and CEL rules. */
import { z } from "zod";
import { CEL_KEY, type CelRule } from "./v1alpha1/rules.ts";

export interface PrinterColumn {
  name: string;
  type: "string" | "integer" | "date" | "boolean" | "number";
  jsonPath: string;
  description?: string;
  priority?: number;
}

/** What the API server has to know of a resource. */
export interface ResourceDefinition {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  namespaced: boolean;
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  columns: PrinterColumn[];
  /** CEL rules on the whole object: all that they can see beside spec and status is metadata.name and generateName. */
  rules?: CelRule[];
}

type Schema = Record<string, unknown>;

/** Keywords that a structural schema may have and that mean the same there. */
const KEPT = new Set([
  "type",
  "description",
  "default",
  "enum",
  "format",
  "pattern",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minimum",
  "maximum",
  "required",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
]);
/** Keywords that say nothing to the API server: unknown fields are pruned, and names of map keys are not checked. */
const DROPPED = new Set(["$schema", "propertyNames", "title", "id"]);

const isSafeIntegerBound = (key: string, value: unknown) =>
  (key === "minimum" && value === Number.MIN_SAFE_INTEGER) || (key === "maximum" && value === Number.MAX_SAFE_INTEGER);

/** A JSON schema made by zod as a structural schema. Throws on a keyword that CRDs don't have, naming where it stands. */
export function structural(schema: Schema, path = "spec"): Schema {
  const result: Schema = {};
  if (Array.isArray(schema.type)) throw new Error(`${path}: a CRD has no place for a choice of types`);
  for (const [key, value] of Object.entries(schema)) {
    if (DROPPED.has(key) || isSafeIntegerBound(key, value)) continue;
    if (KEPT.has(key)) result[key] = value;
    else Object.assign(result, translated(key, value, path));
  }
  if (result.type === "integer") result.format = "int64";
  if (hasMatchRule(schema)) delete result.pattern;
  return result;
}

/** The rule's message says more than "should match '^…$'" would. */
function hasMatchRule(schema: Schema): boolean {
  const rules = schema[CEL_KEY];
  return Array.isArray(rules) && rules.some((rule: CelRule) => rule.rule.startsWith("self.matches("));
}

function translated(key: string, value: unknown, path: string): Schema {
  if (key === CEL_KEY) return Array.isArray(value) && value.length > 0 ? { [CEL_KEY]: value } : {};
  if (key === "properties" && isSchema(value)) {
    const entries = Object.entries(value).map(([name, member]) => [name, structuralAt(member, `${path}.${name}`)]);
    return { properties: Object.fromEntries(entries) };
  }
  if (key === "items") return { items: structuralAt(value, `${path}[]`) };
  if (key === "additionalProperties") return mapValues(value, path);
  throw new Error(`${path}: a CRD has no place for the JSON schema keyword ${JSON.stringify(key)}`);
}

function mapValues(value: unknown, path: string): Schema {
  if (value === false) return {};
  if (isSchema(value) && Object.keys(value).length > 0) {
    return { additionalProperties: structuralAt(value, `${path}[*]`) };
  }
  return { "x-kubernetes-preserve-unknown-fields": true };
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function structuralAt(value: unknown, path: string): Schema {
  if (!isSchema(value)) throw new Error(`${path}: not a schema`);
  return structural(value, path);
}

/** What is written, not what parsing makes of it: a member with a default may be left out. */
function fromZod(schema: z.ZodType, path: string): Schema {
  return structuralAt(z.toJSONSchema(schema, { io: "input" }), path);
}

function openApiSchema(definition: ResourceDefinition): Schema {
  return {
    type: "object",
    description: definition.description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `${definition.group}/${definition.version}` },
      kind: { type: "string", description: definition.kind },
      metadata: { type: "object" },
      spec: { description: "What is wanted.", ...fromZod(definition.spec, "spec") },
      status: { description: "What the controller found and did.", ...fromZod(definition.status, "status") },
    },
    ...(definition.rules ? { [CEL_KEY]: definition.rules } : {}),
  };
}

/** The CustomResourceDefinition, ready to be written down. */
export function customResourceDefinition(definition: ResourceDefinition): Schema {
  const { group, version, kind, plural, singular, shortNames, namespaced, columns } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ["headroom"] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: openApiSchema(definition) },
          subresources: { status: {} },
          additionalPrinterColumns: columns,
        },
      ],
    },
  };
}
