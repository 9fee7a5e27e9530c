/** Where the objects are: one revision counter, the history of changes for watches, and its compaction. */
import type { ApiObject } from "./json.ts";

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

export interface Change {
  readonly revision: number;
  readonly store: string;
  readonly type: ChangeType;
  /** As it is after the change; of a deletion, as it last was, with the deletion's resourceVersion. */
  readonly object: ApiObject;
  readonly previous: ApiObject | undefined;
}

export type ChangeListener = (change: Change) => void;

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;

export class ObjectStore {
  #revision = 1;
  /** Changes at or below this revision are forgotten. */
  #compacted = 0;
  #history: Change[] = [];
  readonly #stores = new Map<string, Map<string, ApiObject>>();
  readonly #listeners = new Set<ChangeListener>();
  readonly #historyLimit: number;

  constructor(options: { historyLimit?: number } = {}) {
    this.#historyLimit = options.historyLimit ?? 10_000;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  get(store: string, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#stores.get(store)?.get(keyOf(namespace, name));
  }

  /** In the order of namespace and name. */
  list(store: string, namespace?: string): ApiObject[] {
    const objects = [...(this.#stores.get(store)?.entries() ?? [])];
    return objects
      .filter(([, object]) => namespace === undefined || object.metadata.namespace === namespace)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  storeNames(): string[] {
    return [...this.#stores.keys()];
  }

  /** Stores the object under a new revision and tells the listeners before it returns. */
  put(store: string, object: ApiObject): ApiObject {
    const objects = this.#storeNamed(store);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const previous = objects.get(key);
    const stored = this.#atNextRevision(object);
    objects.set(key, stored);
    this.#record(store, previous ? "MODIFIED" : "ADDED", stored, previous);
    return stored;
  }

  remove(store: string, object: ApiObject): ApiObject {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const removed = this.#atNextRevision(object);
    this.#storeNamed(store).delete(key);
    this.#record(store, "DELETED", removed, object);
    return removed;
  }

  /** What happened after the revision; undefined when that has been compacted away. */
  changesSince(revision: number): Change[] | undefined {
    if (revision < this.#compacted) return undefined;
    return this.#history.filter((change) => change.revision > revision);
  }

  /** Forgets all changes up to now: watches from before are answered with 410. */
  compact(): void {
    this.#history = [];
    this.#compacted = this.#revision;
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #storeNamed(store: string): Map<string, ApiObject> {
    const found = this.#stores.get(store) ?? new Map<string, ApiObject>();
    this.#stores.set(store, found);
    return found;
  }

  #atNextRevision(object: ApiObject): ApiObject {
    this.#revision += 1;
    const copy = structuredClone(object);
    copy.metadata.resourceVersion = String(this.#revision);
    return copy;
  }

  #record(store: string, type: ChangeType, object: ApiObject, previous: ApiObject | undefined): void {
    const change: Change = { revision: this.#revision, store, type, object, previous };
    this.#history.push(change);
    if (this.#history.length > this.#historyLimit) {
      const forgotten = this.#history.splice(0, Math.ceil(this.#historyLimit / 2));
      this.#compacted = forgotten.at(-1)?.revision ?? this.#compacted;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }
}
