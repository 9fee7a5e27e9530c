/** The API server in memory, as far as a move needs it: versions, preconditions, finalizers, graceful deletion of pods. */
import {
  type DeleteOptions,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ListOptions,
  type ListResult,
  type ObjectRef,
  type PatchOptions,
  type ResourceKind,
} from "../../../src/kube/client.ts";

type AnyKind = ResourceKind<KubeObject>;
type Json = Record<string, unknown>;

export class MemoryKube implements KubeClient {
  readonly #objects = new Map<string, KubeObject>();
  readonly #nowMs: () => number;
  #version = 0;
  #uids = 0;
  /** Called after every change: where controllers that react at once are simulated. */
  onChange: () => void = () => {};
  /** Called when a status with this phase has been written. */
  onStatus: (phase: string) => void = () => {};

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Without a copy, without waiting: for the simulated cluster and for assertions. */
  peek<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): T | undefined {
    return this.#objects.get(keyOf(kind, ref)) as T | undefined; // keyed by kind
  }

  all<T extends KubeObject>(kind: ResourceKind<T>): T[] {
    const prefix = `${kind.plural}/`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object as T); // keyed by kind
  }

  /** Changes an object in place, as another component would. */
  change<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef, edit: (object: T) => void): void {
    const object = this.peek(kind, ref);
    if (!object) return;
    const before = JSON.stringify(object);
    edit(object);
    if (JSON.stringify(object) === before) return;
    object.metadata.resourceVersion = String(++this.#version);
    this.#dropIfReleased(kind, object);
    this.onChange();
  }

  /** As if its finalizers had been taken off by hand. */
  tearOut<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): void {
    this.#objects.delete(keyOf(kind, ref));
  }

  /** What a kubelet does when a deleted pod's containers are gone. */
  finishDeletion<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): void {
    const object = this.peek(kind, ref);
    if (!object || (object.metadata.finalizers ?? []).length > 0) return;
    this.#objects.delete(keyOf(kind, ref));
    this.onChange();
  }

  async get<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): Promise<T | undefined> {
    const found = this.peek(kind, ref);
    return found && structuredClone(found);
  }

  async list<T extends KubeObject>(kind: ResourceKind<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    const { namespace } = options;
    const items = this.all(kind).filter((object) => namespace === undefined || object.metadata.namespace === namespace);
    return { items: structuredClone(items), resourceVersion: String(this.#version) };
  }

  async create<T extends KubeObject>(kind: ResourceKind<T>, object: T, options: { dryRun?: boolean } = {}): Promise<T> {
    const key = keyOf(kind, object.metadata);
    if (this.#objects.has(key)) throw new KubeError("AlreadyExists", `${key} exists`);
    const made = structuredClone(object);
    made.metadata.uid = `00000000-0000-4000-8000-${String(++this.#uids).padStart(12, "0")}`;
    made.metadata.resourceVersion = String(++this.#version);
    Object.assign(made.metadata, { creationTimestamp: wholeSeconds(this.#nowMs()) });
    if (kind.kind === "Pod" && !("status" in made)) Object.assign(made, { status: { phase: "Pending" } });
    if (options.dryRun) return made;
    this.#objects.set(key, made);
    this.onChange();
    return structuredClone(made);
  }

  async patch<T extends KubeObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    body: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    if (options.type === "json") throw new Error("not simulated");
    const object = this.#found(kind, ref);
    const { status, ...main } = structuredClone(body) as Json; // merge patches are objects
    this.#checkPreconditions(object, (main.metadata ?? {}) as Json);
    const change = options.subresource === "status" ? { status } : main;
    const merge = options.type === "strategic" ? mergedByType : merged;
    this.change(kind, ref, (found) => replaceMembers(found, merge(found as unknown as Json, change)));
    return structuredClone(object) as T;
  }

  async replaceStatus<T extends KubeObject>(kind: ResourceKind<T>, object: T): Promise<T> {
    const found = this.#found(kind, object.metadata);
    this.#checkPreconditions(found, { resourceVersion: object.metadata.resourceVersion });
    const status = structuredClone((object as unknown as Json).status);
    this.change(kind, object.metadata, (stored) => Object.assign(stored, { status }));
    const answer = structuredClone(found) as T; // of the kind that was asked for
    if (isJson(status) && typeof status.phase === "string") this.onStatus(status.phase);
    return answer;
  }

  async delete<T extends KubeObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const object = this.peek(kind, ref);
    if (!object) return;
    if (options.uid !== undefined && options.uid !== object.metadata.uid)
      throw new KubeError("Conflict", "another uid");
    const running = kind.kind === "Pod" && "spec" in object && (object.spec as Json).nodeName !== undefined;
    this.change(kind, ref, (found) => {
      const until = wholeSeconds(this.#nowMs() + (options.gracePeriodSeconds ?? 0) * 1000);
      if (found.metadata.deletionTimestamp === undefined) Object.assign(found.metadata, { deletionTimestamp: until });
    });
    if (!running) this.finishDeletion(kind, ref);
  }

  async getRaw(path: string): Promise<unknown> {
    throw new KubeError("NotFound", path);
  }

  #found(kind: AnyKind, ref: ObjectRef): KubeObject {
    const object = this.#objects.get(keyOf(kind, ref));
    if (!object) throw new KubeError("NotFound", `${keyOf(kind, ref)} not found`);
    return object;
  }

  #checkPreconditions(object: KubeObject, { uid, resourceVersion }: Json): void {
    const other = uid !== undefined && uid !== object.metadata.uid;
    const stale = resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion;
    if (other || stale) throw new KubeError("Conflict", `${object.kind} ${object.metadata.name} has been modified`);
  }

  #dropIfReleased(kind: AnyKind, object: KubeObject): void {
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0 && kind.kind !== "Pod") {
      this.#objects.delete(keyOf(kind, object.metadata));
    }
  }
}

function keyOf(kind: AnyKind, ref: ObjectRef): string {
  return `${kind.plural}/${kind.namespaced ? `${ref.namespace ?? ""}/` : ""}${ref.name}`;
}

function wholeSeconds(milliseconds: number): string {
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** In place: others hold the object. A member that the patch has removed goes. */
function replaceMembers(object: KubeObject, members: Json): void {
  for (const key of Object.keys(object)) if (!(key in members)) Reflect.deleteProperty(object, key);
  Object.assign(object, members);
}

/** A strategic merge patch, as far as one is sent: conditions are merged by their type. */
function mergedByType(target: Json, patch: Json): Json {
  const { status } = patch;
  const old = isJson(target.status) && Array.isArray(target.status.conditions) ? target.status.conditions : [];
  if (!isJson(status) || !Array.isArray(status.conditions)) return merged(target, patch);
  const fresh: { type: string }[] = status.conditions;
  const kept = old.filter((one: { type: string }) => fresh.every(({ type }) => type !== one.type));
  return merged(target, { status: { ...status, conditions: [...kept, ...fresh] } });
}

/** RFC 7386. */
function merged(target: Json, patch: Json): Json {
  const result: Json = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const old = result[key];
    if (value === null) delete result[key];
    else result[key] = isJson(value) ? merged(isJson(old) ? old : {}, value) : value;
  }
  return result;
}
