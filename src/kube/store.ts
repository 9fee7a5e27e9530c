/** A local copy of all objects of a kind, kept by a watch (./watch.ts). */
import type { KubeObject, ObjectRef } from "./client.ts";

export type IndexFunction<T> = (object: T) => string[];

/** One object's key in stores and queues: `namespace/name`, or `name` alone. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name;
}

export function refFromKey(key: string): ObjectRef {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The reading side. */
export interface Store<T extends KubeObject> {
  /** The first complete list has arrived. */
  readonly synced: boolean;
  get(ref: ObjectRef): T | undefined;
  /** All objects, or those of a namespace; in no order. */
  list(namespace?: string): T[];
  /** The objects for which the index's function gave this value. */
  byIndex(index: string, value: string): T[];
}

/** What a change did. `before` is absent when the object is new, `after` when it is gone. */
export interface Change<T> {
  before: T | undefined;
  after: T | undefined;
}

/** The writing side, for the watch and for tests. */
export class MemoryStore<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>();
  readonly #indices: Map<string, { of: IndexFunction<T>; keys: Map<string, Set<string>> }>;
  #synced = false;

  constructor(indices: Record<string, IndexFunction<T>> = {}) {
    this.#indices = new Map(Object.entries(indices).map(([name, of]) => [name, { of, keys: new Map() }]));
  }

  get synced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(ref: ObjectRef): T | undefined {
    return this.#objects.get(keyOf(ref));
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indices.get(index);
    if (!found) throw new TypeError(`this store has no index ${index}`);
    const keys = found.keys.get(value) ?? [];
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Adds or replaces an object; undefined when it is the very version that is already there. */
  put(object: T): Change<T> | undefined {
    const key = keyOf(object.metadata);
    const before = this.#objects.get(key);
    const version = object.metadata.resourceVersion;
    const same = before?.metadata.uid === object.metadata.uid && before?.metadata.resourceVersion === version;
    if (before && same && version !== undefined) return undefined;
    if (before) this.#unindex(key, before);
    this.#objects.set(key, object);
    this.#index(key, object);
    return { before, after: object };
  }

  remove(ref: ObjectRef): Change<T> | undefined {
    const key = keyOf(ref);
    const before = this.#objects.get(key);
    if (!before) return undefined;
    this.#objects.delete(key);
    this.#unindex(key, before);
    return { before, after: undefined };
  }

  /** Makes the store hold exactly these; what is missing among them was deleted while nobody watched. */
  replaceAll(objects: readonly T[]): Change<T>[] {
    const present = new Set(objects.map((object) => keyOf(object.metadata)));
    const gone = [...this.#objects.values()].filter((object) => !present.has(keyOf(object.metadata)));
    const changes = [
      ...gone.map((object) => this.remove(object.metadata)),
      ...objects.map((object) => this.put(object)),
    ];
    this.#synced = true;
    return changes.filter((change) => change !== undefined);
  }

  #index(key: string, object: T): void {
    for (const { of, keys } of this.#indices.values()) {
      for (const value of of(object)) {
        const bucket = keys.get(value) ?? new Set();
        keys.set(value, bucket.add(key));
      }
    }
  }

  #unindex(key: string, object: T): void {
    for (const { of, keys } of this.#indices.values()) {
      for (const value of of(object)) {
        const bucket = keys.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) keys.delete(value);
      }
    }
  }
}
