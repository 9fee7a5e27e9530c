/** What kubectl asks first: which groups, versions and resources there are. */
import type { JsonObject } from "./json.ts";
import { apiVersionOf, type ResourceType, type ResourceTypes } from "./resource-types.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

export const VERSION: JsonObject = {
  major: "1",
  minor: "35",
  gitVersion: "v1.35.0+headroom-sandbox",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "sandbox",
};

/** The answer to a discovery path; undefined when the path is none. */
export function discovery(types: ResourceTypes, path: string, address: string): JsonObject | undefined {
  const segments = path.split("/").filter((segment) => segment !== "");
  const [root, group, version, ...rest] = segments;
  if (rest.length > 0) return undefined;
  if (root === "version" && group === undefined) return VERSION;
  if (root === "api") {
    if (group === undefined) return apiVersions(address);
    return version === undefined ? resourceList(types, "", group) : undefined;
  }
  if (root !== "apis") return undefined;
  if (group === undefined) return groupList(types);
  if (version === undefined) return groupList(types, group);
  return resourceList(types, group, version);
}

const apiVersions = (address: string): JsonObject => ({
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }],
});

function groupList(types: ResourceTypes, only?: string): JsonObject | undefined {
  const names = [...new Set(types.all().map((type) => type.group))].filter((name) => name !== "");
  const groups = names.map((name) => group(types, name));
  if (only === undefined) return { kind: "APIGroupList", apiVersion: "v1", groups };
  const found = groups.find((candidate) => candidate.name === only);
  return found ? { kind: "APIGroup", apiVersion: "v1", ...found } : undefined;
}

function group(types: ResourceTypes, name: string): JsonObject {
  const versions = [...new Set(types.all().flatMap((type) => (type.group === name ? [type.version] : [])))];
  const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] ?? null };
}

function resourceList(types: ResourceTypes, groupName: string, version: string): JsonObject | undefined {
  const found = types.all().filter((type) => type.group === groupName && type.version === version);
  const [first] = found;
  if (!first) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf(first),
    resources: found.flatMap((type) => [resource(type), ...subresources(type)]),
  };
}

const resource = (type: ResourceType): JsonObject => ({
  name: type.plural,
  singularName: type.singular,
  namespaced: type.namespaced,
  kind: type.kind,
  verbs: type.virtual ? ["create"] : VERBS,
  ...(type.shortNames.length > 0 ? { shortNames: [...type.shortNames] } : {}),
  ...(type.categories.length > 0 ? { categories: [...type.categories] } : {}),
});

function subresources(type: ResourceType): JsonObject[] {
  const names = [...(type.statusSubresource ? ["status"] : []), ...type.subresources];
  return names.map((name) => ({
    name: `${type.plural}/${name}`,
    singularName: "",
    namespaced: type.namespaced,
    kind: { eviction: "Eviction", binding: "Binding", scale: "Scale", token: "TokenRequest" }[name] ?? type.kind,
    ...({ eviction: { group: "policy", version: "v1" }, scale: { group: "autoscaling", version: "v1" } }[name] ?? {}),
    verbs: name === "status" ? ["get", "patch", "update"] : name === "scale" ? ["get", "patch", "update"] : ["create"],
  }));
}
