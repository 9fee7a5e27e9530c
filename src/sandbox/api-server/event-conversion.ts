/** Events live once and are seen through two APIs: core/v1 (as stored) and events.k8s.io/v1, with other field names. */
import type { ApiObject, JsonObject } from "./json.ts";
import { apiVersionOf, type ResourceType } from "./resource-types.ts";

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

const isEvent = (type: ResourceType): boolean => type.kind === "Event" && type.plural === "events" && !type.custom;

/** What a client sent, with the names under which it is stored. */
export function toStored(type: ResourceType, body: JsonObject): JsonObject {
  return isEvent(type) && type.group !== "" ? renamed(body, RENAMED) : body;
}

/** What a client of this resource sees of a stored object. */
export function fromStored(type: ResourceType, object: ApiObject): ApiObject {
  if (!isEvent(type)) return object;
  const back = RENAMED.map(([newer, core]) => [core, newer] as const);
  const seen = type.group === "" ? object : renamed(object, back);
  // Renaming leaves kind and metadata as they are.
  return { ...seen, apiVersion: apiVersionOf(type) } as ApiObject;
}

function renamed(object: JsonObject, names: readonly (readonly [string, string])[]): JsonObject {
  const result: JsonObject = { ...object };
  for (const [from, to] of names) {
    if (result[from] === undefined) continue;
    result[to] = result[from];
    delete result[from];
  }
  return result;
}
