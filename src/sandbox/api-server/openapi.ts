/** OpenAPI v3, as little as kubectl needs: that fields are validated by the server, and schemas for `kubectl explain`. */
import type { JsonObject } from "./json.ts";
import { apiVersionOf, type ResourceType, type ResourceTypes } from "./resource-types.ts";

const pathOf = (type: ResourceType): string =>
  type.group ? `apis/${type.group}/${type.version}` : `api/${type.version}`;

/** The answer to a path below /openapi; undefined when it is none. */
export function openapi(types: ResourceTypes, path: string): JsonObject | undefined {
  if (path === "/openapi/v3") {
    const paths = [...new Set(types.all().map(pathOf))];
    const entries = paths.map((p): [string, JsonObject] => [p, { serverRelativeURL: `/openapi/v3/${p}` }]);
    return { paths: Object.fromEntries(entries) };
  }
  const prefix = "/openapi/v3/";
  if (!path.startsWith(prefix)) return undefined;
  const found = types.all().filter((type) => pathOf(type) === path.slice(prefix.length));
  return found.length > 0 ? document(found) : undefined;
}

function document(types: ResourceType[]): JsonObject {
  const paths = Object.fromEntries(types.flatMap(objectPaths));
  const schemas = Object.fromEntries(types.map((type) => [schemaName(type), schemaOf(type)]));
  return { openapi: "3.0.0", info: { title: "Headroom sandbox", version: "v1.35.0" }, paths, components: { schemas } };
}

const schemaName = (type: ResourceType): string =>
  `${[...(type.group || "core").split(".")].reverse().join(".")}.${type.version}.${type.kind}`;

function schemaOf(type: ResourceType): JsonObject {
  const identity = [{ group: type.group, version: type.version, kind: type.kind }];
  const known = type.custom?.schema ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return { ...known, "x-kubernetes-group-version-kind": identity };
}

function objectPaths(type: ResourceType): [string, JsonObject][] {
  const collection = `/${pathOf(type)}${type.namespaced ? "/namespaces/{namespace}" : ""}/${type.plural}`;
  const validated = ["dryRun", "fieldValidation", "fieldManager"].map((name) => ({
    name,
    in: "query",
    schema: { type: "string", uniqueItems: true },
  }));
  const ref = { $ref: `#/components/schemas/${schemaName(type)}` };
  const operation = (action: string, parameters: JsonObject[]): JsonObject => ({
    description: `${action} ${apiVersionOf(type)} ${type.kind}`,
    parameters,
    responses: { 200: { description: "OK", content: { "application/json": { schema: ref } } } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group: type.group, version: type.version, kind: type.kind },
  });
  return [
    [collection, { get: operation("list", []), post: operation("post", validated) }],
    [
      `${collection}/{name}`,
      {
        get: operation("get", []),
        patch: operation("patch", validated),
        put: operation("put", validated),
        delete: operation("delete", []),
      },
    ],
  ];
}
