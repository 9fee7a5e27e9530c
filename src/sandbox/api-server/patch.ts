/** The patches that the API server understands: merge (RFC 7386), JSON (RFC 6902) and a modest strategic merge. */
import { ApiError, badRequest } from "./errors.ts";
import { isObject, type Json, type JsonObject, jsonEquals } from "./json.ts";

export function mergePatch(target: Json | undefined, patch: Json | undefined): Json | undefined {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** Merge keys of lists in built-in kinds, by the name of the list's field. A list that is not here is replaced. */
const MERGE_KEYS: Record<string, string> = {
  conditions: "type",
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  env: "name",
  volumes: "name",
  volumeMounts: "mountPath",
  ports: "containerPort",
  imagePullSecrets: "name",
  ownerReferences: "uid",
  schedulingGates: "name",
  hostAliases: "ip",
  addresses: "type",
};
const MERGED_SETS = new Set(["finalizers"]);

/** Directives: `$patch: delete|replace`, `$deleteFromPrimitiveList/x`, `$retainKeys`, `$setElementOrder/x`. */
export function strategicMergePatch(target: Json | undefined, patch: Json | undefined): Json | undefined {
  if (!isObject(patch)) return patch;
  const { $patch: directive, $retainKeys: retained, ...changes } = patch;
  if (directive === "delete") return undefined;
  const result: JsonObject = isObject(target) && directive !== "replace" ? { ...target } : {};
  if (Array.isArray(retained)) {
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  }
  for (const [key, value] of Object.entries(changes)) applyMember(result, key, value);
  return result;
}

function applyMember(result: JsonObject, key: string, value: Json | undefined): void {
  if (key.startsWith("$setElementOrder/")) return;
  if (key.startsWith("$deleteFromPrimitiveList/")) {
    const list = key.slice("$deleteFromPrimitiveList/".length);
    const present = result[list];
    const gone = Array.isArray(value) ? value : [];
    if (Array.isArray(present)) result[list] = present.filter((item) => !gone.some((other) => jsonEquals(item, other)));
    return;
  }
  if (value === null) delete result[key];
  else if (Array.isArray(value)) result[key] = mergeList(result[key], value, key);
  else result[key] = strategicMergePatch(result[key], value);
}

function mergeList(present: Json | undefined, patch: Json[], field: string): Json[] {
  const old = Array.isArray(present) ? present : [];
  if (MERGED_SETS.has(field)) return [...old, ...patch.filter((item) => !old.some((other) => jsonEquals(item, other)))];
  const mergeKey = MERGE_KEYS[field];
  if (!mergeKey || patch.some((item) => !isObject(item))) return patch;
  if (patch.some((item) => isObject(item) && item.$patch === "replace")) {
    return patch.filter((item) => isObject(item) && item.$patch === undefined);
  }
  const result = [...old];
  for (const item of patch) mergeItem(result, item, mergeKey);
  return result;
}

function mergeItem(list: Json[], item: Json, mergeKey: string): void {
  if (!isObject(item)) return;
  const at = list.findIndex((other) => isObject(other) && jsonEquals(other[mergeKey], item[mergeKey]));
  if (item.$patch === "delete") {
    if (at >= 0) list.splice(at, 1);
    return;
  }
  const merged = strategicMergePatch(at >= 0 ? list[at] : undefined, item);
  if (merged === undefined) return;
  if (at >= 0) list[at] = merged;
  else list.push(merged);
}

/** A failing `test` or a path that is not there makes the whole patch fail. */
export function jsonPatch(target: JsonObject, operations: Json): Json {
  if (!Array.isArray(operations)) throw badRequest("error decoding patch: a JSON patch is a list of operations");
  return operations.reduce<Json>((document, operation) => applyOperation(document, operation), target);
}

const failed = (message: string): ApiError => new ApiError(422, "Invalid", message, {});

function applyOperation(document: Json, operation: Json): Json {
  if (!isObject(operation)) throw badRequest("error decoding patch: an operation is an object");
  const { op, value } = operation;
  const path = pointer(operation.path);
  switch (op) {
    case "test":
      if (!jsonEquals(read(document, path) ?? null, value ?? null)) {
        throw failed(`testing value ${String(operation.path)} failed: test failed`);
      }
      return document;
    case "add":
    case "replace":
      if (op === "replace") mustExist(document, path, operation);
      return write(document, path, op, value ?? null);
    case "remove":
      mustExist(document, path, operation);
      return write(document, path, "remove", null);
    case "move": {
      const from = pointer(operation.from);
      const moved = read(document, from) ?? null;
      return write(write(document, from, "remove", null), path, "add", moved);
    }
    case "copy":
      return write(document, path, "add", read(document, pointer(operation.from)) ?? null);
    default:
      throw badRequest(`error decoding patch: unknown operation ${String(op)}`);
  }
}

function pointer(path: Json | undefined): string[] {
  if (typeof path !== "string") throw badRequest("error decoding patch: an operation needs a path");
  const steps = path.split("/").slice(1);
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function read(document: Json | undefined, path: string[]): Json | undefined {
  let current = document;
  for (const step of path) {
    if (Array.isArray(current)) current = current[Number(step)];
    else if (isObject(current)) current = current[step];
    else return undefined;
  }
  return current;
}

function mustExist(document: Json, path: string[], operation: JsonObject): void {
  if (read(document, path) !== undefined) return;
  throw failed(`the server rejected our request due to an error in our request: ${String(operation.path)} not found`);
}

/** A copy of the document with the change made; only what lies on the path is copied. */
function write(document: Json, path: string[], op: "add" | "replace" | "remove", value: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (Array.isArray(document)) return writeItem(document, step, rest, op, value);
  if (!isObject(document)) throw failed(`the path leads through a value that is neither object nor list: ${step}`);
  const copy = { ...document };
  if (rest.length > 0) {
    const child = copy[step];
    if (child === undefined) throw failed(`the path does not exist: ${step}`);
    copy[step] = write(child, rest, op, value);
  } else if (op === "remove") delete copy[step];
  else copy[step] = value;
  return copy;
}

function writeItem(list: Json[], step: string, rest: string[], op: "add" | "replace" | "remove", value: Json): Json[] {
  const copy = [...list];
  const at = step === "-" ? copy.length : Number(step);
  if (!Number.isInteger(at) || at < 0 || at > copy.length) throw failed(`not an index of the list: ${step}`);
  if (rest.length > 0) copy[at] = write(copy[at] ?? null, rest, op, value);
  else if (op === "remove") copy.splice(at, 1);
  else if (op === "add") copy.splice(at, 0, value);
  else copy[at] = value;
  return copy;
}
