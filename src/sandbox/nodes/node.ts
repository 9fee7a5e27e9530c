/**
 * A simulated node: its memory, its containers, and what an agent has left on it. All of it outlives the agent's and the
 * kubelet's processes, as it does on a real node.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../../kube/clock.ts";
import { quantityValue } from "../api-server/cel-rules.ts";
import { type ApiObject, arrayAt, stringAt } from "../api-server/json.ts";
import { durationMs, MEMORY_ANNOTATION, memoryCurve, RUNS_FOR_ANNOTATION } from "./memory-curve.ts";
import { type ProcessChange, type ProcessImage, type ProcessOptions, SimulatedProcess } from "./process.ts";

export interface NodeOptions {
  name: string;
  capacityBytes: number;
  /** What the system itself uses. */
  systemBytes: number;
  clock: Clock;
  onProcessChange: (change: ProcessChange) => void;
}

export interface Container {
  id: string;
  pod: ApiObject;
  name: string;
  process: SimulatedProcess;
  /** Undefined while it runs. */
  exit?: ContainerExit;
}

export interface ContainerExit {
  code: number;
  reason: string;
  atMs: number;
}

/** A pod whose container is restored or fails, never started cold. */
export interface Registration {
  moveUID: string;
  /** Set when no restore will come any more: `create` fails. */
  barred: boolean;
  /** Set when the copy's release is decided: from then on the kubelet's restarts are ordinary ones. */
  released?: boolean;
  /** The kubelet's `create` that waits for the restore. */
  waiting?: { pod: ApiObject; resolve: (container: Container) => void; reject: (error: Error) => void };
  /** Called when `create` begins to wait. */
  onWaiting?: (() => void) | undefined;
  restored?: Container;
}

/** What a move has staged, in memory. */
export interface Staging {
  bytes: number;
  image?: ProcessImage;
}

export class SimulatedNode {
  readonly name: string;
  readonly capacityBytes: number;
  readonly containers = new Map<string, Container>();
  /** By pod UID. */
  readonly registrations = new Map<string, Registration>();
  /** By move UID. */
  readonly staging = new Map<string, Staging>();
  /** By move UID: when its source was frozen, epoch milliseconds. */
  readonly freezes = new Map<string, number>();
  readonly clock: Clock;
  readonly #options: NodeOptions;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.capacityBytes = options.capacityBytes;
    this.clock = options.clock;
  }

  /** Containers, what moves have staged, and the system. */
  get usedBytes(): number {
    const processes = [...this.containers.values()].reduce((sum, { process }) => sum + process.memoryBytes, 0);
    const staged = [...this.staging.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#options.systemBytes + processes + staged;
  }

  containerOf(podUID: string): Container | undefined {
    return [...this.containers.values()].find(({ pod, exit }) => pod.metadata.uid === podUID && exit === undefined);
  }

  /**
   * What containerd does when the kubelet asks for a container: a registered pod's waits for its restore, every other is
   * started cold.
   */
  create(pod: ApiObject, containerName: string): Promise<Container> {
    const registration = this.registrations.get(pod.metadata.uid);
    if (!registration || registration.released) return Promise.resolve(this.#start(pod, containerName));
    if (registration.barred || registration.restored) {
      return Promise.reject(new Error("the pod is the target of a move and is never started cold"));
    }
    return new Promise((resolve, reject) => {
      registration.waiting = { pod, resolve, reject };
      registration.onWaiting?.();
    });
  }

  /** The kubelet's patience with a waiting `create` is over. */
  cancelCreate(podUID: string): void {
    const registration = this.registrations.get(podUID);
    registration?.waiting?.reject(new Error("context deadline exceeded"));
    if (registration) delete registration.waiting;
  }

  /** Restores into a `create` that waits; the process is held. */
  restore(registration: Registration, image: ProcessImage): Container {
    const { waiting } = registration;
    if (!waiting) throw new Error("no create waits for this restore");
    const process = SimulatedProcess.restore(this.#processOptions(waiting.pod), image);
    const container = this.#add(waiting.pod, containerNameOf(waiting.pod), process);
    registration.restored = container;
    delete registration.waiting;
    waiting.resolve(container);
    return container;
  }

  /** From now on the pod's `create` fails; a waiting one fails at once. */
  bar(registration: Registration): void {
    registration.barred = true;
    registration.waiting?.reject(new Error("the move was rolled back"));
    delete registration.waiting;
  }

  /** The pod of this registration is an ordinary one. */
  forget(registration: Registration): void {
    for (const [podUID, one] of this.registrations) if (one === registration) this.registrations.delete(podUID);
  }

  end(container: Container, code: number, reason: string): void {
    if (container.exit) return;
    container.exit = { code, reason, atMs: this.clock.now() };
    container.process.kill();
  }

  /** Forgets a pod that has left the node. */
  remove(podUID: string): void {
    for (const [id, container] of this.containers) {
      if (container.pod.metadata.uid !== podUID) continue;
      this.end(container, 137, "Error");
      this.containers.delete(id);
    }
    this.cancelCreate(podUID);
    this.registrations.delete(podUID);
  }

  #start(pod: ApiObject, containerName: string): Container {
    return this.#add(pod, containerName, SimulatedProcess.coldStart(this.#processOptions(pod), randomUUID()));
  }

  #add(pod: ApiObject, name: string, process: SimulatedProcess): Container {
    const container: Container = { id: randomBytes(32).toString("hex"), pod, name, process };
    this.containers.set(container.id, container);
    return container;
  }

  #processOptions(pod: ApiObject): ProcessOptions {
    const annotations = pod.metadata.annotations ?? {};
    return {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      node: this.name,
      curve: memoryCurve(annotations[MEMORY_ANNOTATION]),
      runsForMs: durationMs(annotations[RUNS_FOR_ANNOTATION] ?? ""),
      now: () => this.clock.now(),
      onChange: this.#options.onProcessChange,
    };
  }
}

export const containerNameOf = (pod: ApiObject): string =>
  stringAt(arrayAt(pod, "spec", "containers")[0], "name") ?? "main";

/** The container that the kernel kills when memory runs out: by use and oom_score_adj, as the kubelet sets it. */
export function oomVictim(node: SimulatedNode): Container | undefined {
  const score = ({ pod, process }: Container): number =>
    (1000 * process.memoryBytes) / node.capacityBytes + oomScoreAdj(pod, node.capacityBytes);
  return [...node.containers.values()].filter(({ exit }) => !exit).sort((a, b) => score(b) - score(a))[0];
}

function oomScoreAdj(pod: ApiObject, capacityBytes: number): number {
  const qos = stringAt(pod, "status", "qosClass");
  if (qos === "Guaranteed") return -997;
  if (qos !== "Burstable") return 1000;
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * memoryRequest(pod)) / capacityBytes)));
}

/** Bytes that all containers of the pod request. */
export function memoryRequest(pod: ApiObject): number {
  const requested = arrayAt(pod, "spec", "containers").map(
    (container) =>
      stringAt(container, "resources", "requests", "memory") ?? stringAt(container, "resources", "limits", "memory"),
  );
  return requested.reduce((sum, text) => sum + (text === undefined ? 0 : (quantityValue(text) ?? 0)), 0);
}
