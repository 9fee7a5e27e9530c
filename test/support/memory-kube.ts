/** A KubeClient over a map: conditional writes, merge patches, deletion with a UID; for units that need no watch. */
import {
  type KubeClient,
  KubeError,
  type KubeObject,
  type ObjectRef,
  type ResourceKind,
} from "../../src/kube/client.ts";
import { keyOf } from "../../src/kube/store.ts";

type Json = Record<string, unknown>;

export class MemoryKube {
  readonly #objects = new Map<string, KubeObject>();
  #version = 0;

  readonly client: KubeClient = {
    get: async (kind, ref) => copyOf(this.#objects.get(pathOf(kind, ref))) as never,
    list: async (kind) => {
      const items = [...this.#objects].filter(([path]) => path.startsWith(`${kind.plural}/`));
      return { items: items.map(([, object]) => copyOf(object)) as never[], resourceVersion: String(this.#version) };
    },
    create: async (kind, object) => {
      const path = pathOf(kind, object.metadata);
      if (this.#objects.has(path)) throw new KubeError("AlreadyExists", `${path} exists`, { status: 409 });
      return this.#put(path, { ...object, metadata: { uid: `uid-${++this.#version}`, ...object.metadata } });
    },
    patch: async (kind, ref, body) => {
      const path = pathOf(kind, ref);
      const known = this.#objects.get(path);
      if (!known) throw new KubeError("NotFound", `${path} not found`, { status: 404 });
      const wanted = (body as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
      if (wanted !== undefined && wanted !== known.metadata.resourceVersion) {
        throw new KubeError("Conflict", `${path} has changed`, { status: 409 });
      }
      return this.#put(path, merge(known as unknown as Json, body as Json) as unknown as KubeObject);
    },
    replaceStatus: async (kind, object) => this.#put(pathOf(kind, object.metadata), object),
    delete: async (kind, ref) => {
      this.#objects.delete(pathOf(kind, ref));
    },
    getRaw: async (path) => {
      throw new KubeError("NotFound", path, { status: 404 });
    },
  };

  #put(path: string, object: KubeObject): never {
    const stored = copyOf(object) as KubeObject;
    stored.metadata.resourceVersion = String(++this.#version);
    this.#objects.set(path, stored);
    return copyOf(stored) as never;
  }
}

function pathOf(kind: ResourceKind<KubeObject>, ref: ObjectRef): string {
  return `${kind.plural}/${keyOf(ref)}`;
}

function copyOf<T>(value: T): T {
  return structuredClone(value);
}

function merge(into: Json, patch: Json): Json {
  const merged: Json = { ...into };
  for (const [key, value] of Object.entries(patch)) {
    const present = merged[key];
    if (value === null) delete merged[key];
    else if (isJson(value) && isJson(present)) merged[key] = merge(present, value);
    else if (value !== undefined) merged[key] = value;
  }
  return merged;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
