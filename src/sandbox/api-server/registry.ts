/** Create, update, patch and delete with the API server's rules; what is stored went through here. */
import { type Admission, builtInErrors, encodeSecret, nameErrors, prepareForCreate } from "./built-in-rules.ts";
import { ruleErrors } from "./cel-rules.ts";
import { prune, schemaErrors, unknownFields, withDefaults } from "./custom-schema.ts";
import {
  alreadyExists,
  badRequest,
  conflict,
  type FieldError,
  forbidden,
  invalid,
  notFound,
  staleObject,
} from "./errors.ts";
import { type ApiObject, isObject, type JsonObject, jsonEquals, numberAt, objectAt, stringAt } from "./json.ts";
import type { ObjectStore } from "./object-store.ts";
import { apiVersionOf, type ResourceType, storeName } from "./resource-types.ts";

export interface RegistryOptions {
  store: ObjectStore;
  /** Milliseconds since the epoch. */
  now: () => number;
  uid: () => string;
  suffix: () => string;
}

export interface WriteOptions {
  dryRun?: boolean;
  /** What becomes of unknown fields of custom resources: an error, a warning, nothing. */
  fieldValidation?: "Strict" | "Warn" | "Ignore";
  subresource?: "status" | undefined;
  /** Told about unknown fields. */
  warn?: (message: string) => void;
}

export interface Address {
  type: ResourceType;
  namespace: string | undefined;
  name: string;
}

/** Identity, generation and deletion belong to the server. */
const FIXED_METADATA = [
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
];

export class Registry {
  readonly store: ObjectStore;
  readonly #options: RegistryOptions;
  readonly #admission: Admission;

  constructor(options: RegistryOptions) {
    this.store = options.store;
    this.#options = options;
    this.#admission = {
      suffix: options.suffix,
      time: () => this.time(),
      find: (store, namespace, name) => this.store.get(store, namespace, name),
    };
  }

  /** The time now as Kubernetes writes it: RFC 3339 to the second. `afterSeconds` looks ahead. */
  time(afterSeconds = 0): string {
    return `${new Date(this.#options.now() + afterSeconds * 1000).toISOString().slice(0, 19)}Z`;
  }

  get({ type, namespace, name }: Address): ApiObject {
    const found = this.store.get(storeName(type), namespace, name);
    if (!found) throw notFound(type, name);
    return found;
  }

  create(type: ResourceType, namespace: string | undefined, body: JsonObject, options: WriteOptions = {}): ApiObject {
    this.#checkKind(type, body);
    this.#checkNamespace(type, namespace, body);
    const named = this.#newObject(type, namespace, body);
    const prepared = type.custom
      ? this.#newCustom(type, named, options)
      : prepareForCreate(type, named, this.#admission);
    this.#validate(type, prepared, undefined);
    if (this.store.get(storeName(type), namespace, prepared.metadata.name)) {
      throw alreadyExists(type, prepared.metadata.name);
    }
    return options.dryRun ? prepared : this.store.put(storeName(type), prepared);
  }

  /** A body without resourceVersion is written over whatever is there (custom resources insist on one). */
  update(address: Address, body: JsonObject, options: WriteOptions = {}): ApiObject {
    const { type, name } = address;
    const old = this.get(address);
    this.#checkKind(type, body);
    const metadata = objectAt(body, "metadata");
    if (stringAt(metadata, "name") !== name) {
      throw badRequest(
        `the name of the object (${stringAt(metadata, "name") ?? ""}) does not match the name on the URL (${name})`,
      );
    }
    if (type.custom && !stringAt(metadata, "resourceVersion")) {
      const message = "Invalid value: 0: must be specified for an update";
      throw invalid(type, name, [{ reason: "FieldValueInvalid", field: "metadata.resourceVersion", message }]);
    }
    return this.replace(address, old, body, options);
  }

  /** Patches are updates of what is there now: `change` makes the new body from the present object. */
  patch(address: Address, change: (present: ApiObject) => JsonObject, options: WriteOptions = {}): ApiObject {
    const old = this.get(address);
    return this.replace(address, old, change(structuredClone(old)), options);
  }

  replace(address: Address, old: ApiObject, body: JsonObject, options: WriteOptions = {}): ApiObject {
    const { type, name } = address;
    const given = objectAt(body, "metadata");
    const version = stringAt(given, "resourceVersion");
    if (version && version !== old.metadata.resourceVersion) throw staleObject(type, name);
    const uid = stringAt(given, "uid");
    if (uid && uid !== old.metadata.uid) {
      throw conflict(
        type,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
      );
    }
    const updated = this.#updated(type, old, body, options);
    this.#validate(type, updated, old);
    if (jsonEquals(updated, old) || options.dryRun) return updated;
    if (updated.metadata.deletionTimestamp && finished(type, updated))
      return this.store.remove(storeName(type), updated);
    return this.store.put(storeName(type), updated);
  }

  #checkKind(type: ResourceType, body: JsonObject): void {
    const { apiVersion, kind } = body;
    if (apiVersion !== undefined && apiVersion !== apiVersionOf(type)) {
      throw badRequest(
        `the API version in the data (${String(apiVersion)}) does not match the expected API version (${apiVersionOf(type)})`,
      );
    }
    if (kind !== undefined && kind !== type.kind) {
      throw badRequest(`the kind in the data (${String(kind)}) does not match the expected kind (${type.kind})`);
    }
  }

  #checkNamespace(type: ResourceType, namespace: string | undefined, body: JsonObject): void {
    if (!type.namespaced || namespace === undefined) return;
    const given = stringAt(body, "metadata", "namespace");
    if (given && given !== namespace) {
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    }
    const found = this.store.get("namespaces", undefined, namespace);
    if (!found) {
      const namespaces = { group: "", plural: "namespaces", kind: "Namespace" };
      throw notFound({ ...type, ...namespaces }, namespace);
    }
    if (found.metadata.deletionTimestamp) {
      const name = stringAt(body, "metadata", "name") ?? "";
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
      throw forbidden(type, name, why);
    }
  }

  #newObject(type: ResourceType, namespace: string | undefined, body: JsonObject): ApiObject {
    const given = objectAt(body, "metadata");
    if (given.resourceVersion) throw badRequest("resourceVersion should not be set on objects to be created");
    const generateName = stringAt(given, "generateName");
    const name = stringAt(given, "name") || (generateName ? `${generateName}${this.#options.suffix()}` : "");
    if (!name) {
      const message = "Required value: name or generateName is required";
      throw invalid(type, "", [{ reason: "FieldValueRequired", field: "metadata.name", message }]);
    }
    const { deletionTimestamp: _time, deletionGracePeriodSeconds: _grace, managedFields: _fields, ...kept } = given;
    return {
      ...structuredClone(body),
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: {
        ...structuredClone(kept),
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid: this.#options.uid(),
        resourceVersion: "",
        creationTimestamp: this.time(),
        ...(type.countsGenerations ? { generation: 1 } : {}),
      },
    };
  }

  #newCustom(type: ResourceType, object: ApiObject, options: WriteOptions): ApiObject {
    const admitted = this.#admitCustom(type, object, options);
    if (type.statusSubresource) delete admitted.status;
    return admitted;
  }

  /** Strict validation of unknown fields, then pruning, then defaults: in the API server's order. */
  #admitCustom(type: ResourceType, object: ApiObject, options: WriteOptions): ApiObject {
    const schema = type.custom?.schema;
    const unknown = options.fieldValidation === "Ignore" ? [] : unknownFields(schema, object);
    const sentences = unknown.map((field) => `unknown field "${field}"`);
    if (options.fieldValidation === "Strict" && sentences.length > 0) {
      throw badRequest(
        `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: strict decoding error: ${sentences.join(", ")}`,
      );
    }
    for (const sentence of sentences) options.warn?.(sentence);
    const admitted = withDefaults(schema, prune(schema, object));
    // Pruning and defaults leave apiVersion, kind and metadata as they are.
    return admitted as ApiObject;
  }

  #updated(type: ResourceType, old: ApiObject, body: JsonObject, options: WriteOptions): ApiObject {
    const kept = structuredClone(body);
    const whole: ApiObject = {
      ...kept,
      apiVersion: old.apiVersion,
      kind: old.kind,
      metadata: this.#updatedMetadata(old, kept),
    };
    const admitted = type.custom
      ? this.#admitCustom(type, whole, options)
      : storeName(type) === "secrets"
        ? encodeSecret(whole)
        : whole;
    if (options.subresource === "status") return withMember(old, "status", admitted);
    if (type.statusSubresource) setMember(admitted, "status", old);
    if (type.countsGenerations && !jsonEquals(specOf(admitted), specOf(old))) {
      admitted.metadata.generation = (old.metadata.generation ?? 0) + 1;
    }
    return admitted;
  }

  #updatedMetadata(old: ApiObject, body: JsonObject): ApiObject["metadata"] {
    const given = objectAt(body, "metadata");
    const { managedFields: _fields, ...wanted } = given;
    const emptied = ["finalizers", "ownerReferences"].filter((key) => Array.isArray(given[key]) && !given[key].length);
    for (const key of emptied) delete wanted[key];
    const metadata = { ...old.metadata, ...wanted };
    for (const key of Object.keys(metadata)) {
      if (FIXED_METADATA.includes(key)) setMember(metadata, key, old.metadata);
      else if (wanted[key] === undefined) delete metadata[key];
    }
    return metadata;
  }

  #validate(type: ResourceType, object: ApiObject, old: ApiObject | undefined): void {
    const errors = type.custom ? this.#customErrors(type, object, old) : builtInErrors(type, object, old);
    errors.push(...finalizerErrors(object, old));
    if (errors.length > 0) throw invalid(type, object.metadata.name, errors);
  }

  #customErrors(type: ResourceType, object: ApiObject, old: ApiObject | undefined): FieldError[] {
    if (!type.custom) return [];
    const { errors, blocking } = schemaErrors(type.custom, object);
    const all = [...(old ? [] : nameErrors(object)), ...errors];
    return blocking ? all : [...all, ...ruleErrors(type.custom.rules, object, old)];
  }
}

function withMember(object: ApiObject, key: string, from: JsonObject): ApiObject {
  const copy = { ...object };
  setMember(copy, key, from);
  return copy;
}

function setMember(object: JsonObject, key: string, from: JsonObject): void {
  if (from[key] === undefined) delete object[key];
  else object[key] = from[key];
}

/** All that a change of counts as a new generation. */
function specOf(object: ApiObject): JsonObject {
  const { metadata: _metadata, status: _status, ...spec } = object;
  return spec;
}

function finalizerErrors(object: ApiObject, old: ApiObject | undefined): FieldError[] {
  if (!old?.metadata.deletionTimestamp) return [];
  const before = old.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.includes(finalizer));
  if (added.length === 0) return [];
  const listed = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${listed}}`;
  return [{ reason: "FieldValueForbidden", field: "metadata.finalizers", message }];
}

/** A deleted object goes when its last finalizer does; a pod only once its kubelet has let go of it. */
export function finished(type: ResourceType, object: ApiObject): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return false;
  if (storeName(type) === "namespaces") return !isObject(object.spec) || !Array.isArray(object.spec.finalizers);
  return storeName(type) !== "pods" || numberAt(object, "metadata", "deletionGracePeriodSeconds") === 0;
}
