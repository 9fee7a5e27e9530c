/** A simulated kubelet: starts the containers of its node's pods, restarts and ends them, and reports their status. */
import type { Clock } from "../../kube/clock.ts";
import { deleteObject } from "../api-server/deletion.ts";
import { ApiError } from "../api-server/errors.ts";
import { type ApiObject, arrayAt, jsonEquals, numberAt, stringAt, valueAt } from "../api-server/json.ts";
import type { Registry } from "../api-server/registry.ts";
import type { ResourceType } from "../api-server/resource-types.ts";
import { type Container, type ContainerExit, oomVictim, type SimulatedNode } from "./node.ts";
import { type PodFacts, podStatus } from "./pod-status.ts";

export interface KubeletTiming {
  /** Until a kubelet sees what changed in the API. Milliseconds, like all of these. */
  viewMs: number;
  /** Image, sandbox and network of a new pod. */
  startMs: number;
  /** A process that is asked to end takes this long. */
  stopMs: number;
  /** Between a container's end and its next start; doubled with each further one, up to five minutes. */
  restartMs: number;
  /** What the kubelet gives a container's creation. */
  createLimitMs: number;
}

export const KUBELET_TIMING: KubeletTiming = {
  viewMs: 20,
  startMs: 300,
  stopMs: 50,
  restartMs: 1_000,
  createLimitMs: 120_000,
};

/** The kernel killed a container because its node's memory ran out. */
export interface OomKill {
  node: string;
  pod: string;
  atMs: number;
  /** The work that was lost. */
  workMs: number;
}

export interface KubeletOptions {
  node: SimulatedNode;
  registry: Registry;
  pods: ResourceType;
  timing: KubeletTiming;
  onOomKill: (kill: OomKill) => void;
  onFinished: (container: Container) => void;
  podIP: () => string;
}

interface PodRecord extends PodFacts {
  pod: ApiObject;
  /** A container is being created, or about to be. */
  starting: boolean;
  /** The node's life in which it began. */
  life: number;
  /** Creations that failed since the last container. */
  failedCreates: number;
  containerStartMs: number;
  /** When its process was last seen running. */
  runningMs: number;
  terminating: boolean;
  /** The API has it no more. */
  gone: boolean;
  /** The container that is being ended because its liveness probe failed. */
  killing: Container | undefined;
}

const BACK_OFF_LIMIT_MS = 300_000;

export class SimulatedKubelet {
  readonly node: SimulatedNode;
  readonly #options: KubeletOptions;
  readonly #clock: Clock;
  readonly #records = new Map<string, PodRecord>();
  #stopped = false;
  #online = true;
  /** Counts the times that the node was switched off: what was to happen later then doesn't. */
  #life = 0;
  #off = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.node = options.node;
    this.#clock = options.node.clock;
  }

  /** Follows the pods that are bound to this node. Returns the end of it. */
  start(): () => void {
    const { store } = this.#options.registry;
    const unsubscribe = store.subscribe(({ store: name, type, object }) => {
      if (name !== "pods" || !this.#isHere(object)) return;
      this.#later(this.#options.timing.viewMs, () => {
        if (!this.online) return;
        if (type === "DELETED") this.#forget(object);
        else this.#see(object);
      });
    });
    this.#list();
    return () => {
      this.#stopped = true;
      unsubscribe();
    };
  }

  /** It is there, and the API server hears from it. */
  get online(): boolean {
    return this.#online && !this.#off;
  }

  /** Cut off from the API server, it goes on with the pods as it knew them; connected again, it lists them first. */
  set online(online: boolean) {
    const back = online && !this.#online;
    this.#online = online;
    if (back && !this.#off) this.#comeBack();
  }

  /** The node's power; what ran on it is the node's own business. */
  switchOff(): void {
    this.#off = true;
    this.#life++;
  }

  switchOn(): void {
    this.#off = false;
    if (this.#online) this.#comeBack();
  }

  /** The node is short of memory or disk: the pod is ended for good. */
  evict(podUID: string): void {
    const record = this.#records.get(podUID);
    if (!record || record.terminating || record.ended) return;
    if (record.container) this.node.end(record.container, 137, "Error");
    record.ended = "Failed";
    record.evicted = true;
    this.#report(record);
  }

  /** The kernel kills the pod's container. */
  oomKill(podUID: string): void {
    const container = this.#records.get(podUID)?.container;
    if (container) this.node.end(container, 137, "OOMKilled");
  }

  #isHere = (pod: ApiObject): boolean => stringAt(pod, "spec", "nodeName") === this.node.name;

  #list(): ApiObject[] {
    const here = this.#options.registry.store.list("pods").filter(this.#isHere);
    for (const pod of here) this.#see(pod);
    return here;
  }

  #comeBack(): void {
    const here = new Set(this.#list().map(({ metadata }) => metadata.uid));
    for (const record of [...this.#records.values()]) {
      if (!here.has(record.pod.metadata.uid)) this.#forget(record.pod);
      else if (!record.terminating) this.#resume(record);
    }
  }

  /** A creation that a reboot has ended is begun again. */
  #resume(record: PodRecord): void {
    record.starting &&= record.life === this.#life;
    if (record.container || record.ended) this.#report(record);
    else this.#startContainer(record, this.#options.timing.startMs);
  }

  /** The kubelet's own view of its pods. */
  pods(): ApiObject[] {
    return [...this.#records.values()].map(({ pod }) => pod);
  }

  /** What happens by itself as time goes by: memory runs out, processes finish or were killed, probes change. */
  tick(): void {
    if (this.#off) return;
    this.#outOfMemory();
    for (const record of this.#records.values()) this.#look(record);
  }

  #outOfMemory(): void {
    while (this.node.usedBytes > this.node.capacityBytes) {
      const victim = oomVictim(this.node);
      if (!victim) return;
      const { process, pod } = victim;
      const workMs = process.workMs;
      this.node.end(victim, 137, "OOMKilled");
      const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
      this.#options.onOomKill({ node: this.node.name, pod: name, atMs: this.#clock.now(), workMs });
    }
  }

  #look(record: PodRecord): void {
    const { container } = record;
    if (!container) return;
    const { process } = container;
    if (process.finished) {
      this.#options.onFinished(container);
      this.node.end(container, 0, "Completed");
    }
    // Killed from outside the kubelet, by an agent or by the kernel.
    if (process.state === "dead" && !container.exit) this.node.end(container, 137, "Error");
    if (container.exit) {
      this.#exited(record, container.exit);
      return;
    }
    if (process.state === "running") record.runningMs = this.#clock.now();
    this.#alive(record, container);
    const ready = this.#ready(record, process.state === "running");
    if (ready !== record.ready) {
      record.ready = ready;
      this.#report(record);
    }
  }

  /**
   * A process that stands still doesn't answer: after the probe's failures in a row it is asked to end, and killed when its grace is
   * over. An exec probe can't be started in a frozen container, and counts for nothing.
   */
  #alive(record: PodRecord, container: Container): void {
    const probe = valueAt(arrayAt(record.pod, "spec", "containers")[0], "livenessProbe");
    if (probe === undefined || valueAt(probe, "exec") !== undefined) return;
    if (record.killing === container) {
      if (container.process.state === "running") this.node.end(container, 143, "Error");
      return;
    }
    const seconds = (field: string, otherwise: number) => numberAt(probe, field) ?? otherwise;
    const forgivenMs =
      1000 * ((seconds("failureThreshold", 3) - 1) * seconds("periodSeconds", 10) + seconds("timeoutSeconds", 1));
    const answered = Math.max(record.runningMs, record.containerStartMs + 1000 * seconds("initialDelaySeconds", 0));
    if (record.terminating || this.#clock.now() - answered < forgivenMs) return;
    record.killing = container;
    const graceSeconds = numberAt(record.pod, "spec", "terminationGracePeriodSeconds") ?? 30;
    this.#later(graceSeconds * 1000, () => this.node.end(container, 137, "Error"));
  }

  /** Without a probe a container is ready as long as it is there, frozen or not: as with a real kubelet. */
  #ready(record: PodRecord, running: boolean): boolean {
    const probe = arrayAt(record.pod, "spec", "containers")[0];
    if (valueAt(probe, "readinessProbe") === undefined) return true;
    const now = this.#clock.now();
    const delayMs = (numberAt(probe, "readinessProbe", "initialDelaySeconds") ?? 0) * 1000;
    if (running) return record.ready || now - record.containerStartMs >= delayMs;
    const period = numberAt(probe, "readinessProbe", "periodSeconds") ?? 10;
    const failures = numberAt(probe, "readinessProbe", "failureThreshold") ?? 3;
    return record.ready && now - record.runningMs < period * failures * 1000;
  }

  #see(pod: ApiObject): void {
    const present = this.#records.get(pod.metadata.uid);
    const record = present ?? this.#newRecord(pod);
    record.pod = pod;
    if (record.container) record.container.pod = pod;
    if (pod.metadata.deletionTimestamp) this.#terminate(record);
    else if (!present && !record.ended) this.#startContainer(record, this.#options.timing.startMs);
    else if (record.container) this.#report(record); // a readiness gate may have opened
  }

  #newRecord(pod: ApiObject): PodRecord {
    const phase = stringAt(pod, "status", "phase");
    const record: PodRecord = {
      pod,
      container: undefined,
      restarts: 0,
      lastExit: undefined,
      ready: false,
      startTime: this.#options.registry.time(),
      containerStartTime: undefined,
      podIP: this.#options.podIP(),
      waitingReason: "ContainerCreating",
      ended: phase === "Succeeded" || phase === "Failed" ? phase : undefined,
      starting: false,
      life: this.#life,
      failedCreates: 0,
      evicted: false,
      gone: false,
      killing: undefined,
      containerStartMs: 0,
      runningMs: 0,
      terminating: false,
    };
    this.#records.set(pod.metadata.uid, record);
    return record;
  }

  #startContainer(record: PodRecord, afterMs: number): void {
    if (record.starting) return;
    record.starting = true;
    record.life = this.#life;
    this.#report(record);
    this.#later(afterMs, () => void this.#create(record));
  }

  async #create(record: PodRecord): Promise<void> {
    if (record.terminating || record.ended || this.#records.get(record.pod.metadata.uid) !== record) return;
    const life = this.#life;
    const limit = this.#clock.after(this.#options.timing.createLimitMs, () =>
      this.node.cancelCreate(record.pod.metadata.uid),
    );
    try {
      this.#created(record, await this.node.create(record.pod));
    } catch {
      if (life === this.#life) this.#createFailed(record);
    } finally {
      limit.cancel();
    }
  }

  #createFailed(record: PodRecord): void {
    record.starting = false;
    record.waitingReason = "CreateContainerError";
    if (record.terminating || record.ended || this.#stopped) return;
    this.#startContainer(record, this.#backOffMs(5 * this.#options.timing.restartMs, record.failedCreates++));
  }

  #backOffMs(firstMs: number, failures: number): number {
    return Math.min(BACK_OFF_LIMIT_MS, firstMs * 2 ** failures);
  }

  #created(record: PodRecord, container: Container): void {
    record.starting = false;
    record.failedCreates = 0;
    record.container = container;
    record.containerStartMs = this.#clock.now();
    record.containerStartTime = this.#options.registry.time();
    record.ready = this.#ready({ ...record, ready: false }, container.process.state === "running");
    this.#report(record);
    if (record.terminating) this.#stop(record, container);
  }

  #exited(record: PodRecord, exit: ContainerExit): void {
    if (record.terminating) {
      this.#finish(record);
      return;
    }
    if (record.starting || record.ended) return;
    const policy = stringAt(record.pod, "spec", "restartPolicy");
    const again = policy === "Always" || (policy === "OnFailure" && exit.code !== 0);
    record.ready = false;
    if (!again) {
      record.ended = exit.code === 0 ? "Succeeded" : "Failed";
      this.#report(record);
      return;
    }
    record.lastExit = exit;
    record.restarts += 1;
    record.waitingReason = exit.code === 0 ? "CrashLoopBackOff" : exit.reason;
    this.#startContainer(record, this.#backOffMs(this.#options.timing.restartMs, record.restarts - 1));
  }

  #terminate(record: PodRecord): void {
    const first = !record.terminating;
    record.terminating = true;
    if (!record.container || record.container.exit) {
      this.#finish(record);
      return;
    }
    if (first) this.#stop(record, record.container);
  }

  /** SIGTERM, and SIGKILL when the grace is over: a frozen process hears only the second. */
  #stop(record: PodRecord, container: Container): void {
    const ownSeconds = numberAt(record.pod, "spec", "terminationGracePeriodSeconds") ?? 30;
    const graceMs = 1000 * (record.gone ? ownSeconds : (record.pod.metadata.deletionGracePeriodSeconds ?? ownSeconds));
    const heard = container.process.state === "running";
    this.#later(heard ? Math.min(graceMs, this.#options.timing.stopMs) : graceMs, () => {
      this.node.end(container, heard ? 143 : 137, "Error");
      this.#finish(record);
    });
  }

  #finish({ pod, gone }: PodRecord): void {
    const { namespace, name, uid } = pod.metadata;
    this.node.remove(uid);
    if (gone) this.#records.delete(uid);
    if (gone || !this.online) return;
    this.#ignoringGone(() => {
      deleteObject(
        this.#options.registry,
        { type: this.#options.pods, namespace, name },
        { uid, gracePeriodSeconds: 0 },
      );
    });
  }

  /** The pod object is gone, by whatever way: what still runs of it is ended as if it were deleted only now. */
  #forget(pod: ApiObject): void {
    const record = this.#records.get(pod.metadata.uid);
    if (!record) return;
    record.gone = true;
    this.#terminate(record);
  }

  #report(record: PodRecord): void {
    if (!this.online) return;
    const { registry, pods } = this.#options;
    const { namespace, name, uid } = record.pod.metadata;
    if (registry.store.get("pods", namespace, name)?.metadata.uid !== uid) return;
    this.#ignoringGone(() => {
      const change = (present: ApiObject) => {
        const status = podStatus(present, record, registry.time());
        return jsonEquals(status, present.status) ? present : { ...present, status };
      };
      registry.patch({ type: pods, namespace, name }, change, { subresource: "status" });
    });
  }

  #ignoringGone(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #later(milliseconds: number, act: () => void): void {
    const life = this.#life;
    this.#clock.after(milliseconds, () => {
      if (!this.#stopped && life === this.#life) act();
    });
  }
}
