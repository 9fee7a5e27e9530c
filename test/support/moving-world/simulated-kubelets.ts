/** Scheduler and kubelets, one step at a time: bind, start, report, restart, end deleted pods. */
import { PODS, type Pod } from "../../../src/kube/resources.ts";
import type { MemoryKube } from "./memory-kube.ts";
import type { SimulatedNodes } from "./simulated-nodes.ts";

export interface KubeletOptions {
  /** No node has room for new pods. */
  unschedulable: boolean;
  /** From the container's start to Ready. */
  readyDelayMs: number;
}

export class SimulatedKubelets {
  readonly #kube: MemoryKube;
  readonly #nodes: SimulatedNodes;
  readonly #nowMs: () => number;
  readonly options: KubeletOptions = { unschedulable: false, readyDelayMs: 0 };
  /** Nodes whose kubelet sees nothing new and reports nothing: it goes by what it last heard. */
  readonly cutOff = new Set<string>();
  /** Nodes whose kubelet hears of its pods and doesn't get round to starting them. */
  readonly busy = new Set<string>();
  /** Pods that a kubelet knows, as it last heard of them. */
  readonly #known = new Map<string, Pod>();
  readonly #seenDeleted = new Set<string>();
  readonly #runningSinceMs = new Map<string, number>();

  constructor(kube: MemoryKube, nodes: SimulatedNodes, nowMs: () => number) {
    this.#kube = kube;
    this.#nodes = nodes;
    this.#nowMs = nowMs;
  }

  tick(): void {
    for (const pod of this.#kube.all(PODS)) {
      if (pod.spec.nodeName === undefined) this.#schedule(pod);
      else if (!this.cutOff.has(pod.spec.nodeName)) this.#sync(pod, pod.spec.nodeName);
    }
    for (const [uid, pod] of this.#known) {
      const node = pod.spec.nodeName ?? "";
      if (this.cutOff.has(node)) this.#syncOffline(pod, node);
      else if (this.#kube.peek(PODS, pod.metadata)?.metadata.uid !== uid) this.#forget(uid);
    }
  }

  /** The API has the pod no more: what is left of it ends. */
  #forget(uid: string): void {
    this.#known.delete(uid);
    if (this.#nodes.copy(uid) !== undefined) this.#nodes.set(uid, "dead");
  }

  #schedule(pod: Pod): void {
    if ((pod.spec.schedulingGates ?? []).length > 0) return;
    const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    const node = terms?.[0]?.matchFields?.[0]?.values?.[0] ?? "z3";
    this.#kube.change(PODS, pod.metadata, (found) => {
      if (!this.options.unschedulable) found.spec.nodeName = node;
      else this.#condition(found, "PodScheduled", "False", "Unschedulable");
    });
  }

  #sync(pod: Pod, node: string): void {
    const uid = pod.metadata.uid ?? "";
    const copy = this.#nodes.copy(uid);
    this.#known.set(uid, structuredClone(pod));
    if (pod.metadata.deletionTimestamp !== undefined) this.#end(pod, uid);
    else if (this.busy.has(node)) return;
    else if (pod.status?.phase === "Failed") return;
    else if (copy === undefined || copy === "waiting") this.#start(pod, node, uid);
    else if (copy === "dead") this.#restart(pod, node, uid);
    else this.#report(pod, uid, copy === "frozen" ? "frozen" : "up");
  }

  /** A kubelet that hears nothing starts what should run, and starts again what has died. */
  #syncOffline(pod: Pod, node: string): void {
    const uid = pod.metadata.uid ?? "";
    if (this.#seenDeleted.has(uid)) return;
    if (this.#nodes.copy(uid) === "dead") this.#restart(pod, node, uid);
    else if (this.#nodes.copy(uid) === undefined) this.#start(pod, node, uid);
  }

  /** A registered target waits in its create; anything else starts. */
  #start(pod: Pod, node: string, uid: string): void {
    if (this.#nodes.isRegistered(node, uid)) this.#nodes.createCalled(node, uid);
    else if (pod.spec.runtimeClassName === undefined) this.#nodes.startOther(uid);
    else if (this.#nodes.copy(uid) === undefined) this.#nodes.coldStart(uid);
    this.#condition(pod, "PodReadyToStartContainers", "True");
  }

  #restart(pod: Pod, node: string, uid: string): void {
    if (pod.spec.restartPolicy === "Never") {
      this.#kube.change(PODS, pod.metadata, (found) => Object.assign(found.status ?? {}, { phase: "Failed" }));
    } else if (!this.#nodes.isRegistered(node, uid) && !this.#nodes.guards(node, uid)) this.#nodes.coldStart(uid);
  }

  /** A SIGKILL ends frozen tasks, too. */
  #end(pod: Pod, uid: string): void {
    this.#seenDeleted.add(uid);
    const copy = this.#nodes.copy(uid);
    if (copy !== undefined && copy !== "dead") this.#nodes.set(uid, "dead");
    this.#kube.finishDeletion(PODS, pod.metadata);
  }

  #report(pod: Pod, uid: string, state: "up" | "frozen"): void {
    const sinceMs = this.#runningSinceMs.get(uid) ?? (isReady(pod) ? 0 : this.#nowMs());
    this.#runningSinceMs.set(uid, sinceMs);
    const containersReady = state === "frozen" ? isReady(pod) : this.#nowMs() - sinceMs >= this.options.readyDelayMs;
    const gates = pod.spec.readinessGates ?? [];
    const ready = containersReady && gates.every(({ conditionType }) => isTrue(pod, conditionType));
    this.#kube.change(PODS, pod.metadata, (found) => {
      found.status = { ...found.status, phase: "Running" };
      this.#condition(found, "ContainersReady", containersReady ? "True" : "False");
      this.#condition(found, "Ready", ready ? "True" : "False");
    });
  }

  #condition(pod: Pod, type: string, status: string, reason?: string): void {
    const conditions = (pod.status?.conditions ?? []).filter((condition) => condition.type !== type);
    const old = pod.status?.conditions?.find((condition) => condition.type === type && condition.status === status);
    const lastTransitionTime = old?.lastTransitionTime ?? new Date(this.#nowMs()).toISOString();
    const fresh = { type, status, lastTransitionTime, ...(reason === undefined ? {} : { reason }) };
    pod.status = { ...pod.status, conditions: [...conditions, fresh] };
  }
}

const isReady = (pod: Pod): boolean => isTrue(pod, "Ready");

function isTrue(pod: Pod, condition: string): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === condition && status === "True") ?? false;
}
