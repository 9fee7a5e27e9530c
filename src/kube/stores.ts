/** The stores that every controller shares, with their indices, and any further kind that a controller watches. */
import { MIGRATION_POLICIES } from "../api/v1alpha1/migration-policy.ts";
import { POD_MIGRATIONS, type PodMigration } from "../api/v1alpha1/pod-migration.ts";
import type { KubeObject, ResourceKind } from "./client.ts";
import { BY_NODE, BY_POD_UID, BY_UID, type Stores } from "./controller.ts";
import { NAMESPACES, NODES, PODS, type Pod } from "./resources.ts";
import { type IndexFunction, MemoryStore } from "./store.ts";

const byUid: IndexFunction<KubeObject> = (object) => present(object.metadata.uid);
const byNode: IndexFunction<Pod> = (pod) => present(pod.spec.nodeName);
const byPodUid: IndexFunction<PodMigration> = (move) => [
  ...present(move.status?.sourcePodUID),
  ...present(move.status?.targetPodUID),
];

function present(value: string | undefined): string[] {
  return value === undefined ? [] : [value];
}

/** A kind and its store; the watch that fills it takes both. */
export interface StoredKind {
  kind: ResourceKind<KubeObject>;
  store: MemoryStore<KubeObject>;
}

export class StoreSet {
  readonly #byPath = new Map<string, StoredKind>();
  readonly shared: Stores = {
    pods: this.#add(PODS, { [BY_UID]: byUid, [BY_NODE]: byNode }),
    nodes: this.#add(NODES, { [BY_UID]: byUid }),
    namespaces: this.#add(NAMESPACES, { [BY_UID]: byUid }),
    podMigrations: this.#add(POD_MIGRATIONS, { [BY_UID]: byUid, [BY_POD_UID]: byPodUid }),
    migrationPolicies: this.#add(MIGRATION_POLICIES, { [BY_UID]: byUid }),
  };

  /** The kind's store; made when there is none yet. */
  for<T extends KubeObject>(kind: ResourceKind<T>): MemoryStore<T> {
    const known = this.#byPath.get(pathOf(kind))?.store;
    // Stores are filed under their kind, so the object type is the kind's.
    return known ? (known as unknown as MemoryStore<T>) : this.#add(kind, { [BY_UID]: byUid });
  }

  all(): StoredKind[] {
    return [...this.#byPath.values()];
  }

  /** Every first list has arrived. */
  get synced(): boolean {
    return this.all().every(({ store }) => store.synced);
  }

  #add<T extends KubeObject>(kind: ResourceKind<T>, indices: Record<string, IndexFunction<T>>): MemoryStore<T> {
    const store = new MemoryStore<T>(indices);
    // One map holds the stores of all kinds; only `for` and the kind's own watch take them out again.
    this.#byPath.set(pathOf(kind), { kind, store } as unknown as StoredKind);
    return store;
  }
}

function pathOf(kind: ResourceKind<KubeObject>): string {
  return `${kind.group}/${kind.version}/${kind.plural}`;
}
