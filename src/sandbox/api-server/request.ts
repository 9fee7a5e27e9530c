/** From an HTTP request's path to the resource, the object and the subresource that it means. */
import type { ResourceType, ResourceTypes } from "./resource-types.ts";

export interface ResourceRequest {
  type: ResourceType;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
  /** What follows the subresource: nodes/NAME/proxy/REST. */
  rest: string;
}

/** Undefined for a path that names no known resource. */
export function resourceRequest(types: ResourceTypes, path: string): ResourceRequest | undefined {
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decodeURIComponent);
  const [root, ...rest] = segments;
  if (root === "api") return within(types, "", rest);
  const [group, ...below] = rest;
  return root === "apis" && group !== undefined ? within(types, group, below) : undefined;
}

function within(types: ResourceTypes, group: string, segments: string[]): ResourceRequest | undefined {
  const [version, ...rest] = segments;
  if (version === undefined) return undefined;
  const [first, namespace, plural, ...below] = rest;
  if (first === "namespaces" && namespace !== undefined && plural !== undefined) {
    const type = types.find(group, version, plural);
    if (type?.namespaced) return addressed(type, namespace, below);
  }
  const type = first === undefined ? undefined : types.find(group, version, first);
  return type ? addressed(type, undefined, rest.slice(1)) : undefined;
}

function addressed(type: ResourceType, namespace: string | undefined, segments: string[]): ResourceRequest {
  const [name, subresource, ...rest] = segments;
  return { type, namespace, name, subresource, rest: rest.join("/") };
}
