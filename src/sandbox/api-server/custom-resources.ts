/** CustomResourceDefinitions become resource types as soon as they are stored, and cease to be when they go. */
import { compileSchema, type PrinterColumn } from "./custom-schema.ts";
import { invalid } from "./errors.ts";
import {
  type ApiObject,
  arrayAt,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  stringAt,
  valueAt,
} from "./json.ts";
import type { ResourceType, ResourceTypes } from "./resource-types.ts";

/** The resource types, one per served version, that a CRD declares. Throws 422 when it cannot be used. */
export function customTypes(crdType: ResourceType, crd: ApiObject): ResourceType[] {
  const errors = crdErrors(crd);
  if (errors.length > 0) throw invalid(crdType, crd.metadata.name, errors);
  const versions = arrayAt(crd, "spec", "versions");
  return versions.flatMap((version, i) =>
    valueAt(version, "served") === false ? [] : [customType(crdType, crd, version, i)],
  );
}

function crdErrors(crd: ApiObject) {
  const wanted = `${stringAt(crd, "spec", "names", "plural")}.${stringAt(crd, "spec", "group")}`;
  const missing = ["spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"].filter(
    (field) => !stringAt(crd, ...field.split(".")),
  );
  const errors = missing.map((field) => ({ reason: "FieldValueRequired" as const, field, message: "Required value" }));
  if (errors.length > 0 || crd.metadata.name === wanted) return errors;
  const message = `Invalid value: "${crd.metadata.name}": must be spec.names.plural+"."+spec.group`;
  return [{ reason: "FieldValueInvalid" as const, field: "metadata.name", message }];
}

function customType(crdType: ResourceType, crd: ApiObject, version: Json, index: number): ResourceType {
  const names = objectAt(crd, "spec", "names");
  const kind = stringAt(names, "kind") ?? "";
  return {
    group: stringAt(crd, "spec", "group") ?? "",
    version: stringAt(version, "name") ?? "",
    plural: stringAt(names, "plural") ?? "",
    singular: stringAt(names, "singular") ?? kind.toLowerCase(),
    kind,
    namespaced: stringAt(crd, "spec", "scope") === "Namespaced",
    shortNames: arrayAt(names, "shortNames").map(String),
    categories: arrayAt(names, "categories").map(String),
    statusSubresource: valueAt(version, "subresources", "status") !== undefined,
    countsGenerations: true,
    virtual: false,
    subresources: [],
    custom: compiled(crdType, crd, version, index),
  };
}

function compiled(crdType: ResourceType, crd: ApiObject, version: Json, index: number) {
  const schema = objectAt(version, "schema", "openAPIV3Schema");
  const columns = arrayAt(version, "additionalPrinterColumns").map(printerColumn);
  try {
    return compileSchema(schema, columns);
  } catch (error) {
    const message = `Invalid value: ${error instanceof Error ? error.message : String(error)}`;
    const field = `spec.versions[${index}].schema.openAPIV3Schema`;
    throw invalid(crdType, crd.metadata.name, [{ reason: "FieldValueInvalid", field, message }]);
  }
}

const printerColumn = (column: Json): PrinterColumn => ({
  name: stringAt(column, "name") ?? "",
  type: stringAt(column, "type") ?? "string",
  jsonPath: stringAt(column, "jsonPath") ?? "",
  description: stringAt(column, "description") ?? "",
  priority: numberAt(column, "priority") ?? 0,
});

/** Keeps a deleted CRD until its objects are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

/** The CRD with what the API server adds: accepted names, and that it is established. */
export function established(crd: JsonObject, time: string): JsonObject {
  const names = objectAt(crd, "spec", "names");
  const kind = stringAt(names, "kind") ?? "";
  const complete = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...names };
  const conditions = ["NamesAccepted", "Established"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: time,
    reason: type === "Established" ? "InitialNamesAccepted" : "NoConflicts",
    message: type === "Established" ? "the initial names have been accepted" : "no conflicts found",
  }));
  const versions = arrayAt(crd, "spec", "versions");
  const storedVersions = versions.filter((v) => valueAt(v, "storage") === true).map((v) => stringAt(v, "name") ?? "");
  const spec = { conversion: { strategy: "None" }, ...objectAt(crd, "spec"), names: complete };
  const metadata = { ...objectAt(crd, "metadata"), finalizers: [CLEANUP_FINALIZER] };
  return { ...crd, metadata, spec, status: { conditions, acceptedNames: complete, storedVersions } };
}

/** Keeps the resource types in step with a CRD that is about to be stored. */
export function registerCustomTypes(types: ResourceTypes, crdType: ResourceType, crd: ApiObject): void {
  const made = customTypes(crdType, crd);
  forgetCustomTypes(types, crd);
  for (const type of made) types.add(type);
}

export function forgetCustomTypes(types: ResourceTypes, crd: JsonObject): void {
  types.remove(stringAt(crd, "spec", "group") ?? "", stringAt(crd, "spec", "names", "plural") ?? "");
}

export const isCrd = (type: ResourceType): boolean => type.kind === "CustomResourceDefinition" && !type.custom;

/** Only for reading CRDs from files: a document that is an object. */
export const isManifest = (value: Json | undefined): value is JsonObject =>
  isObject(value) && typeof value.kind === "string";
