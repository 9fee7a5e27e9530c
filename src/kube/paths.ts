/** Where a resource lives below the API server. */
import type { KubeObject, ListOptions, ObjectRef, ResourceKind } from "./client.ts";

type Query = Record<string, string | number | boolean | undefined>;

/** `/apis/<group>/<version>/namespaces/<namespace>/<plural>`; without a namespace, that of all of them. */
export function collectionPath(kind: ResourceKind<KubeObject>, namespace?: string | undefined): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${scope}/${kind.plural}`;
}

export function objectPath(kind: ResourceKind<KubeObject>, ref: ObjectRef, subresource?: string): string {
  if (ref.name === "") throw new TypeError(`a ${kind.kind} without a name has no path`);
  if (kind.namespaced && !ref.namespace) throw new TypeError(`${kind.kind} ${ref.name}: its namespace is missing`);
  const own = `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource ? `${own}/${subresource}` : own;
}

export function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

export function selectorQuery(options: ListOptions): Query {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

/** How messages name an object: `Pod default/web-0`, `Node z1`. */
export function describe(kind: ResourceKind<KubeObject>, ref: ObjectRef): string {
  return ref.namespace ? `${kind.kind} ${ref.namespace}/${ref.name}` : `${kind.kind} ${ref.name}`;
}
