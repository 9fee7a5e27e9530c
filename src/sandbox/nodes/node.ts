/**
 * A simulated node: its memory, its containers, and what an agent has left on it. All of it outlives the agent's and the
 * kubelet's processes, as it does on a real node.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../../kube/clock.ts";
import { quantityValue } from "../api-server/cel-rules.ts";
import { type ApiObject, arrayAt, stringAt, valueAt } from "../api-server/json.ts";
import { type Files, imageRoot, type MountedFiles } from "./files.ts";
import { durationMs, MEMORY_ANNOTATION, memoryCurve, RUNS_FOR_ANNOTATION } from "./memory-curve.ts";
import { type ProcessChange, type ProcessImage, type ProcessOptions, SimulatedProcess } from "./process.ts";

export interface NodeOptions {
  name: string;
  capacityBytes: number;
  /** What the system itself uses. */
  systemBytes: number;
  clock: Clock;
  /** How long the runtime wrapper holds a `create`. Milliseconds. */
  holdMs: number;
  onProcessChange: (change: ProcessChange) => void;
}

export interface Container {
  id: string;
  pod: ApiObject;
  name: string;
  process: SimulatedProcess;
  files: MountedFiles;
  /** Undefined while it runs. */
  exit?: ContainerExit;
}

export interface ContainerExit {
  code: number;
  reason: string;
  atMs: number;
}

/** A `create` that is held by the runtime wrapper: its container has files, and no process yet. */
export interface HeldCreate {
  id: string;
  pod: ApiObject;
  files: MountedFiles;
  resolve: (container: Container) => void;
  reject: (error: Error) => void;
}

/** A pod whose container is restored or fails, never started cold, until it is released. On disk, but for what says otherwise. */
export interface Registration {
  moveUID: string;
  /** Set when no restore will come any more: `create` fails. */
  barred: boolean;
  /** Set before the copy is let go: from then on the pod is an ordinary one. */
  released: boolean;
  /** The kubelet's `create` that waits for the restore. Gone with a reboot, like what was restored. */
  waiting?: HeldCreate | undefined;
  /** Called when `create` begins to wait. */
  onWaiting?: (() => void) | undefined;
  restored?: Container | undefined;
}

/** What a move has staged, in memory. */
export interface Staging {
  bytes: number;
  sourceNode: string;
  /** Memory and files that were announced. */
  totalBytes: number;
  image?: ProcessImage;
}

/** Files that a move brought, on disk until its end. */
export interface Landing {
  /** Part → its files. */
  parts: Map<string, [string, string][]>;
  /** The held `create` whose container has all of them. */
  filesFor?: string;
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
  /** By move UID. */
  readonly landings = new Map<string, Landing>();
  /** Sources of moves, by pod UID: no other container of the pod lives while the agent does. */
  readonly guards = new Map<string, { moveUID: string; containerID: string; ended: number }>();
  /** An agent runs that watches over the guards. */
  guarded = false;
  /** By pod UID, then by name. */
  readonly #volumes = new Map<string, Map<string, Files>>();
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
   * What containerd does when the kubelet asks for a container: a registered pod's is held for its restore, a guarded pod's dies at its
   * birth, every other is started cold.
   */
  create(pod: ApiObject): Promise<Container> {
    const { uid } = pod.metadata;
    const registration = this.registrations.get(uid);
    if (registration && !registration.released) return this.#hold(registration, pod);
    const files = { root: imageRoot(), volumes: this.#volumesOf(pod) };
    const options = this.#processOptions(pod, files);
    const guard = this.guarded ? this.guards.get(uid) : undefined;
    if (!guard) {
      return Promise.resolve(this.#add(newId(), pod, files, SimulatedProcess.coldStart(options, randomUUID())));
    }
    guard.ended++;
    const stillborn = this.#add(newId(), pod, files, SimulatedProcess.stillborn(options, randomUUID()));
    this.end(stillborn, 137, "Error");
    return Promise.resolve(stillborn);
  }

  #hold(registration: Registration, pod: ApiObject): Promise<Container> {
    const lives = registration.restored !== undefined && registration.restored.process.state !== "dead";
    if (registration.barred || lives)
      return Promise.reject(new Error("the pod is the target of a move and is never started cold"));
    this.cancelCreate(pod.metadata.uid);
    const id = newId();
    const patience = this.clock.after(this.#options.holdMs, () => {
      if (registration.waiting?.id === id) this.cancelCreate(pod.metadata.uid);
    });
    return new Promise<Container>((resolve, reject) => {
      const files = { root: imageRoot(), volumes: this.#volumesOf(pod) };
      registration.waiting = { id, pod, files, resolve, reject };
      registration.onWaiting?.();
    }).finally(() => patience.cancel());
  }

  /** A held `create` fails: by its own limit or the kubelet's, or because something of it died. */
  cancelCreate(podUID: string): void {
    const registration = this.registrations.get(podUID);
    registration?.waiting?.reject(new Error("context deadline exceeded"));
    if (registration) registration.waiting = undefined;
  }

  /** Restores into a `create` that waits; the process is held. */
  restore(registration: Registration, image: ProcessImage): Container {
    const { waiting } = registration;
    if (!waiting) throw new Error("no create waits for this restore");
    const { id, pod, files } = waiting;
    const container = this.#add(id, pod, files, SimulatedProcess.restore(this.#processOptions(pod, files), image));
    registration.restored = container;
    registration.waiting = undefined;
    waiting.resolve(container);
    return container;
  }

  /** From now on the pod's `create` fails; a waiting one fails immediately. */
  bar(registration: Registration): void {
    registration.barred = true;
    registration.waiting?.reject(new Error("the move was rolled back"));
    registration.waiting = undefined;
  }

  /** The power fails: what is in memory is gone, what is on disk stays. */
  reboot(): void {
    for (const container of this.containers.values()) this.end(container, 137, "Unknown");
    this.staging.clear();
    for (const registration of this.registrations.values()) {
      registration.waiting?.reject(new Error("the node was restarted"));
      registration.waiting = undefined;
      registration.restored = undefined;
    }
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
    this.#volumes.delete(podUID);
  }

  #add(id: string, pod: ApiObject, files: MountedFiles, process: SimulatedProcess): Container {
    const container: Container = { id, pod, name: containerNameOf(pod), process, files };
    this.containers.set(id, container);
    return container;
  }

  /** The pod's emptyDirs: made for its first container, there for every later one. */
  #volumesOf(pod: ApiObject): ReadonlyMap<string, Files> {
    const made = this.#volumes.get(pod.metadata.uid) ?? new Map<string, Files>();
    for (const volume of arrayAt(pod, "spec", "volumes")) {
      const name = stringAt(volume, "name") ?? "";
      if (valueAt(volume, "emptyDir") !== undefined && !made.has(name)) made.set(name, new Map());
    }
    this.#volumes.set(pod.metadata.uid, made);
    return made;
  }

  #processOptions(pod: ApiObject, files: MountedFiles): ProcessOptions {
    const annotations = pod.metadata.annotations ?? {};
    return {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      node: this.name,
      files,
      curve: memoryCurve(annotations[MEMORY_ANNOTATION]),
      runsForMs: durationMs(annotations[RUNS_FOR_ANNOTATION] ?? ""),
      now: () => this.clock.now(),
      onChange: this.#options.onProcessChange,
    };
  }
}

const newId = (): string => randomBytes(32).toString("hex");

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
