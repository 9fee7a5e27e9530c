/** What kube-controller-manager does after a deletion: dependents go (or are orphaned), namespaces are emptied. */

import { CLEANUP_FINALIZER } from "./custom-resources.ts";
import { deleteObject } from "./deletion.ts";
import { type ApiObject, type JsonObject, stringAt } from "./json.ts";
import type { Change } from "./object-store.ts";
import type { Registry } from "./registry.ts";
import { type ResourceType, type ResourceTypes, storeName } from "./resource-types.ts";

export class GarbageCollector {
  readonly #registry: Registry;
  readonly #types: ResourceTypes;

  constructor(registry: Registry, types: ResourceTypes) {
    this.#registry = registry;
    this.#types = types;
  }

  /** Begins to listen. Work is done after the change that causes it, never inside it. Returns the end of it. */
  start(): () => void {
    return this.#registry.store.subscribe((change) => queueMicrotask(() => this.#after(change)));
  }

  #after(change: Change): void {
    if (change.type === "DELETED") this.#ownerGone(change.object);
    if (change.type === "ADDED") this.#bornOrphaned(change);
    if (change.type === "MODIFIED" && change.object.metadata.deletionTimestamp) this.#terminating(change);
    this.#checkNamespace(change);
    this.#checkDefinitions();
  }

  #ownerGone(owner: ApiObject): void {
    for (const [type, dependent] of this.#dependents(owner.metadata.uid)) this.#collect(type, dependent);
  }

  /** An object whose owner was deleted before it was created. */
  #bornOrphaned(change: Change): void {
    if ((change.object.metadata.ownerReferences ?? []).length === 0) return;
    const type = this.#types.all().find((candidate) => storeName(candidate) === change.store);
    if (type) this.#collect(type, change.object);
  }

  /** Goes only when all of its owners are gone; the references to those that are gone are dropped. */
  #collect(type: ResourceType, dependent: ApiObject): void {
    const references = dependent.metadata.ownerReferences ?? [];
    const present = references.filter((reference) => this.#exists(dependent, reference));
    if (present.length === references.length) return;
    const { name, namespace, uid } = dependent.metadata;
    const address = { type, namespace, name };
    if (this.#registry.store.get(storeName(type), namespace, name)?.metadata.uid !== uid) return;
    if (present.length === 0) deleteObject(this.#registry, address, { uid, propagationPolicy: "Background" });
    else
      this.#registry.patch(address, (object) => ({
        ...object,
        metadata: { ...object.metadata, ownerReferences: present },
      }));
  }

  #exists(dependent: ApiObject, reference: JsonObject): boolean {
    const type = this.#types.ofKind(String(reference.apiVersion), String(reference.kind));
    if (!type) return false;
    const namespace = type.namespaced ? dependent.metadata.namespace : undefined;
    return this.#registry.store.get(storeName(type), namespace, String(reference.name))?.metadata.uid === reference.uid;
  }

  #terminating({ store, object }: Change): void {
    const finalizers = object.metadata.finalizers ?? [];
    const type = this.#types.all().find((candidate) => storeName(candidate) === store);
    if (!type) return;
    if (finalizers.includes("orphan")) {
      for (const [dependentType, dependent] of this.#dependents(object.metadata.uid))
        this.#orphan(dependentType, dependent, object);
      this.#dropFinalizer(type, object, "orphan");
    } else if (finalizers.includes("foregroundDeletion")) this.#foreground(type, object);
  }

  #foreground(type: ResourceType, owner: ApiObject): void {
    const dependents = this.#dependents(owner.metadata.uid);
    for (const [dependentType, dependent] of dependents) {
      const { namespace, name, uid } = dependent.metadata;
      if (!dependent.metadata.deletionTimestamp) {
        deleteObject(
          this.#registry,
          { type: dependentType, namespace, name },
          { uid, propagationPolicy: "Background" },
        );
      }
    }
    if (this.#dependents(owner.metadata.uid).length === 0) this.#dropFinalizer(type, owner, "foregroundDeletion");
    else this.#whenDependentsGo(type, owner);
  }

  #whenDependentsGo(type: ResourceType, owner: ApiObject): void {
    const end = this.#registry.store.subscribe((change) => {
      if (change.type !== "DELETED") return;
      if (this.#dependents(owner.metadata.uid).length > 0) return;
      end();
      queueMicrotask(() => this.#dropFinalizer(type, owner, "foregroundDeletion"));
    });
  }

  #orphan(type: ResourceType, dependent: ApiObject, owner: ApiObject): void {
    const { namespace, name } = dependent.metadata;
    this.#registry.patch({ type, namespace, name }, (object) => {
      const kept = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid);
      return { ...object, metadata: { ...object.metadata, ownerReferences: kept } };
    });
  }

  #dropFinalizer(type: ResourceType, { metadata }: ApiObject, finalizer: string): void {
    const found = this.#registry.store.get(storeName(type), metadata.namespace, metadata.name);
    if (found?.metadata.uid !== metadata.uid) return;
    this.#registry.patch({ type, namespace: metadata.namespace, name: metadata.name }, (object) => {
      const kept = (object.metadata.finalizers ?? []).filter((present) => present !== finalizer);
      return { ...object, metadata: { ...object.metadata, finalizers: kept } };
    });
  }

  #dependents(uid: string): [ResourceType, ApiObject][] {
    return this.#stored().filter(([, object]) =>
      (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === uid),
    );
  }

  #stored(namespace?: string): [ResourceType, ApiObject][] {
    const seen = new Set<string>();
    return this.#types.all().flatMap((type) => {
      if (seen.has(storeName(type)) || (namespace !== undefined && !type.namespaced)) return [];
      seen.add(storeName(type));
      return this.#registry.store
        .list(storeName(type), namespace)
        .map((object): [ResourceType, ApiObject] => [type, object]);
    });
  }

  /** A terminating namespace is emptied; once it is empty it goes. */
  #checkNamespace(change: Change): void {
    const name = change.store === "namespaces" ? change.object.metadata.name : change.object.metadata.namespace;
    const namespace = name === undefined ? undefined : this.#registry.store.get("namespaces", undefined, name);
    if (!namespace?.metadata.deletionTimestamp || name === undefined) return;
    const contents = this.#stored(name);
    for (const [type, object] of contents) {
      if (object.metadata.deletionTimestamp) continue;
      deleteObject(this.#registry, { type, namespace: name, name: object.metadata.name }, { uid: object.metadata.uid });
    }
    const namespaces = this.#types.find("", "v1", "namespaces");
    if (namespaces && contents.length === 0 && stringAt(namespace, "metadata", "name")) {
      this.#registry.patch({ type: namespaces, namespace: undefined, name }, (object) => ({ ...object, spec: {} }));
    }
  }

  /** The objects of a deleted definition go first, by their own finalizers; then the definition does. */
  #checkDefinitions(): void {
    for (const definition of this.#registry.store.list("customresourcedefinitions.apiextensions.k8s.io")) {
      if (!definition.metadata.deletionTimestamp) continue;
      const types = this.#types.all().filter(({ group, plural }) => `${plural}.${group}` === definition.metadata.name);
      const [type] = types;
      const objects = this.#registry.store.list(definition.metadata.name);
      for (const { metadata } of objects) {
        if (metadata.deletionTimestamp || !type) continue;
        const { namespace, name, uid } = metadata;
        deleteObject(this.#registry, { type, namespace, name }, { uid });
      }
      const crds = this.#types.ofKind("apiextensions.k8s.io/v1", "CustomResourceDefinition");
      if (objects.length === 0 && crds) this.#dropFinalizer(crds, definition, CLEANUP_FINALIZER);
    }
  }
}
