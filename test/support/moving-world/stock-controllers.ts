/**
 * The ReplicaSet and Job controllers and the garbage collector, at their most eager: they answer every change of a pod, in the way the
 * stock ones do. An orphan that matches is adopted, a pod that another controller owns is not.
 */

import { POD_MIGRATIONS } from "../../../src/api/v1alpha1/pod-migration.ts";
import { JOB_TRACKING } from "../../../src/controllers/pod-migration/hand-over/belongings.ts";
import { DELETION_COST } from "../../../src/controllers/pod-migration/hand-over/plan.ts";
import type { KubeObject } from "../../../src/kube/client.ts";
import {
  JOBS,
  type Job,
  NAMESPACES,
  NODES,
  PODS,
  type Pod,
  REPLICA_SETS,
  type ReplicaSet,
} from "../../../src/kube/resources.ts";
import type { MemoryKube } from "./memory-kube.ts";

export class StockControllers {
  readonly #kube: MemoryKube;
  #busy = false;
  #made = 0;
  /** Pods that a controller made in place of one it missed. */
  readonly replacements: string[] = [];
  jobFailures = 0;

  constructor(kube: MemoryKube) {
    this.#kube = kube;
  }

  /** A ReplicaSet acts on every event at once. */
  syncReplicaSets(): void {
    if (this.#busy) return;
    this.#busy = true;
    for (const set of this.#kube.all(REPLICA_SETS)) {
      const active = this.#claimed({ ...set, kind: "ReplicaSet" }).filter(isActive);
      const wanted = set.spec?.replicas ?? 1;
      if (active.length < wanted) this.#replace({ ...set, kind: "ReplicaSet" });
      else for (const pod of active.sort(byExpendability).slice(0, active.length - wanted)) this.#delete(pod);
    }
    this.#busy = false;
  }

  /** A Job's controller gathers pod events for a second first. */
  syncJobs(): void {
    for (const job of this.#kube.all(JOBS)) {
      const owned = this.#claimed({ ...job, kind: "Job" });
      for (const pod of owned.filter((one) => !isActive(one))) this.#countFailure(pod);
      const active = owned.filter(isActive);
      if (active.length < (job.spec?.parallelism ?? 1)) this.#replace({ ...job, kind: "Job" });
    }
  }

  /** A pod whose owners are all gone is deleted; of some that are gone, the references are taken off. */
  collectGarbage(): void {
    const kinds = [POD_MIGRATIONS, NAMESPACES, NODES, JOBS, REPLICA_SETS, PODS];
    const there = new Set(
      kinds.flatMap((kind) => this.#kube.all<KubeObject>(kind)).map(({ metadata }) => metadata.uid),
    );
    for (const pod of this.#kube.all(PODS)) {
      const owners = pod.metadata.ownerReferences ?? [];
      const solid = owners.filter(({ uid }) => there.has(uid));
      if (owners.length > 0 && solid.length === 0)
        void this.#kube.delete(PODS, pod.metadata, { gracePeriodSeconds: 30 });
      else if (solid.length < owners.length) this.#setOwners(pod, solid);
    }
  }

  /** The owner's pods. Matching orphans become its own; its own that no longer match are let go. */
  #claimed(owner: Owner): Pod[] {
    const { uid = "" } = owner.metadata;
    for (const pod of this.#kube.all(PODS)) {
      const controller = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
      if (pod.metadata.deletionTimestamp !== undefined) continue;
      const own = pod.metadata.ownerReferences?.filter((reference) => reference.uid !== uid) ?? [];
      if (controller === undefined && isSelected(pod, owner)) this.#setOwners(pod, [...own, referenceTo(owner)]);
      else if (controller?.uid === uid && !isSelected(pod, owner)) this.#setOwners(pod, own);
    }
    return this.#kube.all(PODS).filter((pod) => isOwnedBy(pod, uid));
  }

  #setOwners(pod: Pod, ownerReferences: NonNullable<Pod["metadata"]["ownerReferences"]>): void {
    this.#kube.change(PODS, pod.metadata, ({ metadata }) => Object.assign(metadata, { ownerReferences }));
  }

  #countFailure(pod: Pod): void {
    if (!pod.metadata.finalizers?.includes(JOB_TRACKING)) return;
    this.jobFailures++;
    this.#kube.change(PODS, pod.metadata, (found) => {
      found.metadata.finalizers = found.metadata.finalizers?.filter((one) => one !== JOB_TRACKING) ?? [];
    });
  }

  #replace(owner: Owner): void {
    const name = `${owner.metadata.name}-new${++this.#made}`;
    this.replacements.push(name);
    const labels = { ...owner.spec?.selector?.matchLabels };
    void this.#kube.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels, ownerReferences: [referenceTo(owner)] },
      spec: { containers: [{ name: "counter", image: "counter" }] },
    });
  }

  #delete(pod: Pod): void {
    void this.#kube.delete(PODS, pod.metadata, { gracePeriodSeconds: 30 });
  }
}

type Owner = (ReplicaSet & { kind: "ReplicaSet" }) | (Job & { kind: "Job" });

function referenceTo({ kind, metadata: { name, uid = "" } }: Owner) {
  return { apiVersion: kind === "Job" ? "batch/v1" : "apps/v1", kind, name, uid, controller: true };
}

function isSelected({ metadata }: Pod, { spec }: Owner): boolean {
  const wanted = Object.entries(spec?.selector?.matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => metadata.labels?.[key] === value);
}

function isOwnedBy(pod: Pod, uid: string): boolean {
  return pod.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

function isActive(pod: Pod): boolean {
  const ended = pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
  return pod.metadata.deletionTimestamp === undefined && !ended;
}

/** Not started before started, not ready before ready, then the lower cost, then the younger. */
function byExpendability(a: Pod, b: Pod): number {
  const rank = (pod: Pod) => [
    pod.spec.nodeName === undefined ? 0 : 1,
    pod.status?.phase === "Running" ? 1 : 0,
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? 1 : 0,
    Number(pod.metadata.annotations?.[DELETION_COST] ?? 0),
    -Date.parse(String(pod.metadata.creationTimestamp)),
  ];
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
