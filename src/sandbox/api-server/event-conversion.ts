/** Events live once and are seen through two APIs: core/v1 (as stored) and events.k8s.io/v1, with other field names. */
import { type ApiObject, isObject, type JsonObject } from "./json.ts";
import type { ResourceType } from "./resource-types.ts";

/** events.k8s.io name → core name. */
const RENAMED: readonly (readonly [string, string])[] = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

const isNewEvent = (type: ResourceType): boolean => type.group === "events.k8s.io" && type.kind === "Event";

/** The stored form of what a client sent. */
export function toStored(type: ResourceType, body: JsonObject): JsonObject {
  return isNewEvent(type) ? renamed(body, RENAMED, "v1") : body;
}

/** What a client of this resource sees of a stored object. */
export function fromStored(type: ResourceType, object: ApiObject): ApiObject {
  if (!isNewEvent(type)) return object;
  const back = RENAMED.map(([newer, core]) => [core, newer] as const);
  // Renaming leaves kind and metadata as they are.
  return renamed(object, back, "events.k8s.io/v1") as ApiObject;
}

function renamed(object: JsonObject, names: readonly (readonly [string, string])[], apiVersion: string): JsonObject {
  const result: JsonObject = {
    ...object,
    ...(isObject(object.metadata) ? { metadata: object.metadata } : {}),
    apiVersion,
  };
  for (const [from, to] of names) {
    if (result[from] === undefined) continue;
    result[to] = result[from];
    delete result[from];
  }
  return result;
}
