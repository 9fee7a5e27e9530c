/** The ReplicaSet and Job controllers, at their most eager: they answer every change of a pod, in the way the stock ones do. */

import { JOB_TRACKING } from "../../../src/controllers/pod-migration/hand-over/belongings.ts";
import { DELETION_COST } from "../../../src/controllers/pod-migration/hand-over/plan.ts";
import { JOBS, PODS, type Pod, REPLICA_SETS } from "../../../src/kube/resources.ts";
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
      const active = this.#activeOf(set.metadata.uid ?? "");
      const wanted = set.spec?.replicas ?? 1;
      if (active.length < wanted) this.#replace(active, set.metadata.uid ?? "", "ReplicaSet", set.metadata.name);
      else for (const pod of active.sort(byExpendability).slice(0, active.length - wanted)) this.#delete(pod);
    }
    this.#busy = false;
  }

  /** A Job's controller gathers pod events for a second first. */
  syncJobs(): void {
    for (const job of this.#kube.all(JOBS)) {
      const uid = job.metadata.uid ?? "";
      const owned = this.#kube.all(PODS).filter((pod) => isOwnedBy(pod, uid));
      for (const pod of owned.filter((one) => !isActive(one))) this.#countFailure(pod);
      const active = owned.filter(isActive);
      if (active.length < (job.spec?.parallelism ?? 1)) this.#replace(active, uid, "Job", job.metadata.name);
    }
  }

  #activeOf(uid: string): Pod[] {
    return this.#kube.all(PODS).filter((pod) => isOwnedBy(pod, uid) && isActive(pod));
  }

  #countFailure(pod: Pod): void {
    if (!pod.metadata.finalizers?.includes(JOB_TRACKING)) return;
    this.jobFailures++;
    this.#kube.change(PODS, pod.metadata, (found) => {
      found.metadata.finalizers = found.metadata.finalizers?.filter((one) => one !== JOB_TRACKING) ?? [];
    });
  }

  #replace(_active: Pod[], uid: string, kind: string, owner: string): void {
    const name = `${owner}-new${++this.#made}`;
    this.replacements.push(name);
    const apiVersion = kind === "Job" ? "batch/v1" : "apps/v1";
    void this.#kube.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "default",
        ownerReferences: [{ apiVersion, kind, name: owner, uid, controller: true }],
      },
      spec: { containers: [{ name: "counter", image: "counter" }] },
    });
  }

  #delete(pod: Pod): void {
    void this.#kube.delete(PODS, pod.metadata, { gracePeriodSeconds: 30 });
  }
}

function isOwnedBy(pod: Pod, uid: string): boolean {
  return pod.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

function isActive(pod: Pod): boolean {
  const ended = pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
  return pod.metadata.deletionTimestamp === undefined && !ended;
}

/** Not started before started, not ready before ready, then the lower cost. */
function byExpendability(a: Pod, b: Pod): number {
  const rank = (pod: Pod) => [
    pod.spec.nodeName === undefined ? 0 : 1,
    pod.status?.phase === "Running" ? 1 : 0,
    pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? 1 : 0,
    Number(pod.metadata.annotations?.[DELETION_COST] ?? 0),
  ];
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
