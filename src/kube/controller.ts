/**
 * What a controller is to the operator: which objects it is about, what else makes it look at them again, and how it
 * brings one of them a step further. The operator (./operator.ts) keeps the caches, queues the keys, and calls
 * `reconcile` only while it leads, one call per key at a time.
 */
import type { MigrationPolicy } from "../api/v1alpha1/migration-policy.ts";
import type { PodMigration } from "../api/v1alpha1/pod-migration.ts";
import type { Logger } from "../logging/logger.ts";
import type { KubeClient, KubeObject, ObjectRef, ResourceKind } from "./client.ts";
import type { Clock } from "./clock.ts";
import type { EventRecorder } from "./events.ts";
import type { Namespace, Node, Pod } from "./resources.ts";
import type { Store } from "./store.ts";

/** What a controller is built with. The stores are complete (synced) before the first reconcile. */
export interface ControllerContext {
  client: KubeClient;
  stores: Stores;
  events: EventRecorder;
  clock: Clock;
  logger: Logger;
  /** Headroom's own namespace. */
  namespace: string;
}

/**
 * Copies of the cluster's objects, kept up to date by watches. They may be a moment older than the caller's own last
 * write: writes that matter carry a resourceVersion. Don't change what a store hands out.
 */
export interface Stores {
  /** Indices: {@link BY_UID}, {@link BY_NODE}. */
  pods: Store<Pod>;
  nodes: Store<Node>;
  namespaces: Store<Namespace>;
  /** Indices: {@link BY_UID}, {@link BY_POD_UID}. */
  podMigrations: Store<PodMigration>;
  migrationPolicies: Store<MigrationPolicy>;
}

/** Index of every store: metadata.uid. */
export const BY_UID = "uid";
/** Index of pods: spec.nodeName. */
export const BY_NODE = "node";
/** Index of pod migrations: status.sourcePodUID and status.targetPodUID. */
export const BY_POD_UID = "podUID";

/** The leader's term in which a reconcile runs. */
export interface Term {
  /** leaseTransitions of the Lease: grows with every term. */
  readonly epoch: number;
  /** Aborted the moment the lease is lost or the operator stops: start nothing new afterwards. */
  readonly signal: AbortSignal;
  /** Milliseconds since the Lease was last renewed, by a monotonic clock. Absent in tests: just now. */
  readonly renewedAgoMs?: () => number;
  /**
   * An agent refuses this term because it has seen epoch `seen` (after etcd or the Lease was restored from an older state). If the
   * lease is still ours, a new term begins with a higher epoch; if another replica holds it, this one no longer leads.
   */
  readonly outrank?: (seen: number) => void;
}

export interface ReconcileResult {
  /** Look at this key again after so many milliseconds, whatever happens in between. */
  requeueAfterMs?: number;
}

/** A kind whose changes concern a controller. */
export interface WatchRule<T extends KubeObject> {
  readonly kind: ResourceKind<T>;
  /** Which keys a changed object concerns; `before` is its former state, absent when it is new. Deleted objects come too. */
  keys(object: T, before: T | undefined): ObjectRef[];
}

/** Hides the type parameter, so that rules of several kinds fit in one list. */
export interface AnyWatchRule {
  readonly kind: ResourceKind<KubeObject>;
  keys(object: KubeObject, before: KubeObject | undefined): ObjectRef[];
}

/** @example watches: [watchRule({ kind: PODS, keys: (pod) => movesOf(pod) })] */
export function watchRule<T extends KubeObject>(rule: WatchRule<T>): AnyWatchRule {
  return {
    kind: rule.kind,
    // The operator hands a rule only objects of the rule's own kind.
    keys: (object, before) => rule.keys(object as T, before as T | undefined),
  };
}

/** A rule by which an object is its own key. */
export function ownKey<T extends KubeObject>(kind: ResourceKind<T>): AnyWatchRule {
  return watchRule({ kind, keys: (object) => [refOf(object)] });
}

export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace ? { namespace, name } : { name };
}

export interface Controller {
  /** Shows in logs and metrics: "pod-migration". */
  readonly name: string;
  /** Usually `ownKey(KIND)` first. Every matching object is queued when leading begins and on every resync. */
  readonly watches: readonly AnyWatchRule[];
  /** Keys queued when leading begins, objects or not: e.g. to clear up after what was deleted meanwhile. */
  readonly initialKeys?: readonly ObjectRef[];
  /** How many keys at once, urgent ones aside; default 4. */
  readonly concurrency?: number;
  /** An urgent key neither waits for a free worker nor takes one from others. Asked often: must be quick. */
  isUrgent?(key: ObjectRef): boolean;
  /** All keys are queued again after so many milliseconds; default 10 minutes. */
  readonly resyncMs?: number;
  /** A reconcile of this key that takes longer, in milliseconds, hangs: `/healthz` fails. Default 15 minutes. */
  longestMs?(key: ObjectRef): number;
  /**
   * Brings what the key names a step further. Rejecting means: again later, with exponential back-off per key; errors
   * are logged by the operator. The object may be gone.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a reconcile that asks for nothing returns nothing.
  reconcile(key: ObjectRef, term: Term): Promise<ReconcileResult | void>;
}
