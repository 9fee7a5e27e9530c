/**
 * What the rest of Headroom needs of the Kubernetes API: any resource by its kind, with typed errors.
 * The implementation over HTTP is in ./http-client.ts; tests and the planner's dry run may put another behind it.
 */
import type { V1ObjectMeta } from "@kubernetes/client-node";
import type { Wire } from "./wire.ts";

/** Times in it are RFC 3339 strings, as the API server writes them. */
export type ObjectMeta = Wire<V1ObjectMeta>;

/** An object as the API server gives it: `metadata` is always there. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta & { name: string };
}

/** A kind of resource: where it lives in the API and which type its objects have. `group` is "" for core. */
export interface ResourceKind<T extends KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set; carries the object type. */
  readonly type?: T;
}

/** One object's address. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectRef {
  namespace?: string | undefined;
  name: string;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ListResult<T> {
  items: T[];
  resourceVersion: string;
}

export interface PatchOptions {
  /** `merge` (RFC 7386, the default), `json` (RFC 6902) or `strategic` (built-in kinds only: lists are merged by key). */
  type?: "merge" | "json" | "strategic";
  /** `status` patches the status subresource alone. */
  subresource?: "status";
  dryRun?: boolean;
}

export interface DeleteOptions {
  /** Delete only this very object: a successor of the same name is left alone (ConflictError). */
  uid?: string;
  gracePeriodSeconds?: number;
  propagationPolicy?: "Background" | "Foreground" | "Orphan";
}

/**
 * All calls have a time limit and reject with a {@link KubeError}. A `resourceVersion` in the body of
 * `replaceStatus` or in a merge patch's metadata makes the write conditional (reason `Conflict` when stale).
 */
export interface KubeClient {
  /** The object, or undefined when there is none of that name. */
  get<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef): Promise<T | undefined>;
  list<T extends KubeObject>(kind: ResourceKind<T>, options?: ListOptions): Promise<ListResult<T>>;
  create<T extends KubeObject>(kind: ResourceKind<T>, object: T, options?: { dryRun?: boolean }): Promise<T>;
  patch<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef, body: unknown, options?: PatchOptions): Promise<T>;
  replaceStatus<T extends KubeObject>(kind: ResourceKind<T>, object: T): Promise<T>;
  /** Resolves also when the object is already gone. */
  delete<T extends KubeObject>(kind: ResourceKind<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** A GET of any path below the API server, e.g. the kubelet's Summary API through the node proxy. */
  getRaw(path: string): Promise<unknown>;
}

/** Why a call failed, in the API server's own words where it has some. */
export type KubeErrorReason =
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Invalid"
  | "Forbidden"
  | "Unauthorized"
  | "Expired"
  | "TooManyRequests"
  | "Unavailable"
  | "Timeout"
  | "BadRequest"
  | "Unknown";

export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly reason: KubeErrorReason;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** From a Retry-After header. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    reason: KubeErrorReason,
    message: string,
    details: { status?: number | undefined; retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.reason = reason;
    this.status = details.status;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** True when the same call may succeed later without anything being changed. */
  get transient(): boolean {
    return ["TooManyRequests", "Unavailable", "Timeout", "Conflict"].includes(this.reason);
  }
}
