/**
 * The node side of a move on a simulated node, with the semantics of the real one: a dump leaves the source frozen, a restore is
 * held, nothing is resumed or released but by `resume` and `release`. What lies on the node (processes, registrations, what is
 * staged) outlives this object, as it outlives an agent's process.
 */
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { z } from "zod";
import { AgentError } from "../../agent/agent-error.ts";
import { isWorthMeasuring, linkRefusal } from "../../agent/link.ts";
import type {
  DumpCommand,
  FilePart,
  GuardedSource,
  NodeRuntime,
  Peer,
  ReceiveCommand,
  RegisterCommand,
  RestoreCommand,
  Source,
  SourceCommand,
  SourceProcess,
} from "../../agent/node-runtime.ts";
import type {
  Cleaned,
  Command,
  Dumped,
  FreezeLimits,
  MoveRecord,
  NodeFeatures,
  Released,
  Restored,
  Resumed,
  SourceFacts,
  Turn,
} from "../../agent/protocol.ts";
import { replaceFiles } from "../nodes/files.ts";
import type { Links, Way } from "../nodes/links.ts";
import { filesBytesOf } from "../nodes/memory-curve.ts";
import type { Container, HeldCreate, Registration, SimulatedNode, Staging } from "../nodes/node.ts";

export interface RuntimeOptions {
  node: SimulatedNode;
  links: Links;
  /** Bytes that all moves together may stage here. */
  stagingBudgetBytes: number;
  /** The agent's death: what a step has not done by then, it does not do. */
  killed: AbortSignal;
}

/** Milliseconds that the steps of a real move take beside its bytes. */
const PAUSE_MS = 20;
const RESTORE_MS = 60;
/** Longest that a restore waits for a `create`, milliseconds. */
const CREATE_MS = 110_000;
/** A source that waits for its kubelet is looked at so often, and its caller told after so long. Milliseconds. */
const POLL_MS = 50;
const KUBELET_WAIT_MS = 5_000;
/** At this rate files are unpacked on the target's disk. */
const DISK_BYTES_PER_SECOND = 1e9;

const imageSchema = z.object({ instance: z.string(), workMs: z.number(), memoryBytes: z.number() });
const filesSchema = z.array(z.tuple([z.string(), z.string()]));

export class SimulatedRuntime implements NodeRuntime {
  readonly #options: RuntimeOptions;
  readonly #node: SimulatedNode;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#node = options.node;
    options.killed.addEventListener("abort", () => {
      this.#node.guarded = false;
    });
  }

  features(): Promise<NodeFeatures> {
    const { stagingBudgetBytes } = this.#options;
    return Promise.resolve({
      agentVersion: "sandbox",
      criuVersion: "simulated",
      runcVersion: "simulated",
      kernel: "simulated",
      cgroupVersion: 2,
      cpuFlags: ["avx", "sse2"],
      lazyPages: true,
      memDirtyTrack: false,
      containerdVersion: "simulated",
      lsm: "none",
      keepsConnections: true,
      verdicts: [],
      handlerInstalled: true,
      turn: { state: "none" },
      stagingBudgetBytes,
      stagingFreeBytes: stagingBudgetBytes - this.#staged(),
      filesFreeBytes: 2 ** 40,
    });
  }

  /** A simulated node's containerd has the handler from the beginning. */
  turn(): Turn {
    return { state: "none" };
  }

  prepare(): Turn {
    return this.turn();
  }

  inspect(source: Source): Promise<SourceFacts> {
    const container = this.#container(source);
    return Promise.resolve({
      running: container !== undefined && container.process.state !== "dead",
      memoryBytes: container?.process.memoryBytes ?? 0,
      filesBytes: container ? filesBytesOf(container.pod) : 0,
      memoryFilesBytes: 0,
      processes: 1,
      threads: 1,
      kinds: ["root"],
      establishedTcp: [],
      innerConnections: 0,
      obstacles: [],
    });
  }

  async register({ moveUID, podUID }: RegisterCommand): Promise<void> {
    const present = this.#node.registrations.get(podUID);
    if (present?.moveUID === moveUID) return;
    if (present) throw new AgentError("WrongState", `pod ${podUID} is the target of another move, ${present.moveUID}`);
    this.#node.registrations.set(podUID, { moveUID, barred: false, released: false });
  }

  createWaiting(moveUID: string): boolean {
    const registrations = [...this.#node.registrations.values()];
    return registrations.some((registration) => registration.moveUID === moveUID && registration.waiting !== undefined);
  }

  async receive({
    moveUID,
    stagingBytes,
    sourceNode,
    totalBytes,
  }: ReceiveCommand): Promise<{ address: string; pagePort: number }> {
    if (!this.#node.staging.has(moveUID)) {
      const free = this.#options.stagingBudgetBytes - this.#staged();
      if (free < stagingBytes)
        throw new AgentError("NoRoom", `${free} bytes are free for staging, ${stagingBytes} are asked for`);
      this.#node.staging.set(moveUID, { bytes: 0, sourceNode, totalBytes });
    }
    return { address: "127.0.0.1", pagePort: 1 };
  }

  /** Files land beside the containers. When the last part has come they are given to the container that waits then, ahead of its restore. */
  async acceptFiles(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void> {
    const content: unknown = JSON.parse((await buffer(body)).toString("utf8"));
    const staging = this.#staging(moveUID);
    if (part.part === "images") {
      const image = imageSchema.parse(content);
      staging.image = image;
      staging.bytes = image.memoryBytes;
      const { waiting } = this.#registered({ moveUID, podUID: "" }) ?? {};
      if (waiting) await this.#applyFiles(moveUID, waiting, signal);
      return;
    }
    const landing = this.#node.landings.get(moveUID) ?? { parts: new Map() };
    landing.parts.set(part.part === "empty-dir" ? part.name : LAYER, filesSchema.parse(content));
    this.#node.landings.set(moveUID, landing);
  }

  /** What has come of the checkpoint, and how fast it comes. */
  arrived(moveUID: string): Pick<MoveRecord, "images" | "progress"> {
    const staging = this.#node.staging.get(moveUID);
    if (!staging) return { images: "gone" };
    const { sourceNode, totalBytes, image } = staging;
    const sentBytes = this.#options.links.sent(moveUID);
    const bytesPerSecond = this.#options.links.rate(sourceNode, this.#node.name);
    const images = image ? "whole" : sentBytes > 0 ? "partial" : "none";
    return { images, progress: { sentBytes, totalBytes, bytesPerSecond } };
  }

  async restore({ moveUID, podUID, again }: RestoreCommand, signal: AbortSignal): Promise<Restored> {
    const registration = this.#registration(podUID, moveUID);
    const startedMs = this.#node.clock.now();
    if (again === true && registration.restored?.process.state === "dead") registration.restored = undefined;
    while (!registration.restored) await this.#restoreOnce(registration, signal);
    const { restored } = registration;
    if (restored.process.state === "dead") throw new AgentError("RestoreFailed", "the restored container died");
    return { containerID: restored.id, pid: 1, timings: { restore: this.#node.clock.now() - startedMs } };
  }

  /** The kubelet may lose its patience at any moment, and ask again later: the word goes only to a container that has all files. */
  async #restoreOnce(registration: Registration, signal: AbortSignal): Promise<void> {
    const { moveUID } = registration;
    const { image } = this.#staging(moveUID);
    if (!image) throw new AgentError("RestoreFailed", "the checkpoint is not complete");
    const waiting = await this.#createWaits(registration, signal);
    await this.#applyFiles(moveUID, waiting, signal);
    await this.#pass(RESTORE_MS, signal);
    const there = registration.waiting;
    if (there === undefined || this.#node.landings.get(moveUID)?.filesFor !== there.id) return;
    // The pages live in the container from here on.
    this.#staging(moveUID).bytes = 0;
    this.#node.restore(registration, image);
  }

  async #applyFiles(moveUID: string, { id, pod, files }: HeldCreate, signal: AbortSignal): Promise<void> {
    const landing = this.#node.landings.get(moveUID);
    if (!landing) throw new AgentError("RestoreFailed", "the files are not there");
    if (landing.filesFor === id) return;
    await this.#pass((1000 * filesBytesOf(pod)) / DISK_BYTES_PER_SECOND, signal);
    replaceFiles(files.root, landing.parts.get(LAYER) ?? []);
    for (const [name, volume] of files.volumes) replaceFiles(volume, landing.parts.get(name) ?? []);
    landing.filesFor = id;
  }

  markReleased(command: Command & { podUID: string }): void {
    const registration = this.#registered(command);
    if (registration?.barred) throw new AgentError("WrongState", "the move of this pod was rolled back");
    if (registration?.released) return;
    if (!registration) throw new AgentError("ReleaseFailed", "there is no copy, and it may have run");
    if (this.copyAlive(command.moveUID) !== true) throw new AgentError("CopyDead", "the held copy has died");
    registration.released = true;
  }

  async release(command: Command & { podUID: string }): Promise<Released> {
    const { process } = this.#registered(command)?.restored ?? {};
    if (!process || process.state === "dead") throw new AgentError("ReleaseFailed", "the released copy has died");
    process.resume();
    return { releasedAtMs: this.#node.clock.now() };
  }

  markAborted(command: Command & { podUID: string }): void {
    const registration = this.#registered(command);
    if (registration?.released) throw new AgentError("AlreadyReleased", "the copy has been released");
    if (registration) this.#node.bar(registration);
    else if (command.podUID !== "")
      this.#node.registrations.set(command.podUID, { moveUID: command.moveUID, barred: true, released: false });
  }

  async abort(command: Command & { podUID: string }): Promise<void> {
    this.#registered(command)?.restored?.process.kill();
  }

  async cleanupTarget(command: Command & { podUID: string; released: boolean }): Promise<Cleaned> {
    this.#node.staging.delete(command.moveUID);
    this.#node.landings.delete(command.moveUID);
    const registration = this.#registered(command);
    if (!registration) return {};
    if (registration.released) this.#node.forget(registration);
    else this.#node.bar(registration);
    return {};
  }

  copyAlive(moveUID: string): boolean | undefined {
    const { restored } = this.#registered({ moveUID, podUID: "" }) ?? {};
    return restored && restored.process.state !== "dead";
  }

  sourceProcess(_moveUID: string, containerID: string): SourceProcess {
    const { state } = this.#node.containers.get(containerID)?.process ?? { state: "dead" };
    return state === "frozen" ? "frozen" : state === "dead" ? "ended" : "running";
  }

  async dump({ moveUID, source, peer: to, limits }: DumpCommand, peer: Peer, signal: AbortSignal): Promise<Dumped> {
    const container = this.#sourceOf(source);
    const { process } = container;
    const stop = this.#orKilled(signal);
    await peer.open();
    const way = { from: this.#node.name, to: to.node, move: moveUID };
    if (process.state === "running")
      this.#refuseSlowLink(limits, process.memoryBytes + filesBytesOf(container.pod), way);
    const frozenAtMs = this.#node.clock.now();
    this.#node.freezes.set(moveUID, frozenAtMs);
    this.#node.guards.set(source.podUID, { moveUID, containerID: source.containerID, ended: 0 });
    process.freeze();
    await this.#pass(PAUSE_MS, signal);
    const image = process.image();
    const pages = this.#options.links.send(way, image.memoryBytes, stop).catch(giveUp);
    await Promise.all([this.#sendFiles(container, way, peer, signal), pages]);
    if (this.sourceProcess(moveUID, source.containerID) !== "frozen")
      throw new AgentError("DumpFailed", "the container ended while it was dumped");
    await this.#put(way, peer, { part: "images" }, image, signal);
    const { memoryBytes } = image;
    const dumpMs = this.#node.clock.now() - frozenAtMs - PAUSE_MS;
    return { frozenAtMs, memoryBytes, transferredBytes: memoryBytes, timings: { pause: PAUSE_MS, dump: dumpMs } };
  }

  async #sendFiles({ pod, files }: Container, way: Way, peer: Peer, signal: AbortSignal): Promise<void> {
    await this.#options.links.send(way, filesBytesOf(pod), this.#orKilled(signal)).catch(giveUp);
    await this.#put(way, peer, { part: "layer" }, [...files.root], signal);
    for (const [name, volume] of files.volumes)
      await this.#put(way, peer, { part: "empty-dir", name }, [...volume], signal);
  }

  async #put(way: Way, peer: Peer, part: FilePart, content: unknown, signal: AbortSignal): Promise<void> {
    this.#options.killed.throwIfAborted();
    const failed = (message: string) => new AgentError("SendFailed", message, { retryable: true });
    if (!this.#options.links.connects(way.from, way.to)) throw failed("the target's node cannot be reached");
    await peer.put(part, Buffer.from(JSON.stringify(content)), signal);
  }

  async resume({ moveUID, source }: SourceCommand): Promise<Resumed> {
    this.#node.guards.delete(source.podUID);
    this.#container(source)?.process.resume();
    const frozenAtMs = this.#node.freezes.get(moveUID);
    return frozenAtMs === undefined ? {} : { freeze: { frozenAtMs, resumedAtMs: this.#node.clock.now() } };
  }

  /** The container's init is left to its kubelet, which ends it when it has seen the pod's deletion. */
  async kill({ source }: SourceCommand, signal: AbortSignal): Promise<void> {
    const untilMs = this.#node.clock.now() + KUBELET_WAIT_MS;
    for (;;) {
      const container = this.#container(source);
      if (!container || container.process.state === "dead") return;
      if (this.#node.clock.now() >= untilMs) break;
      await this.#pass(POLL_MS, signal);
    }
    const message = "the frozen source waits for its kubelet to see the pod's deletion";
    throw new AgentError("WrongState", message, { retryable: true });
  }

  endedAtBirth(moveUID: string): number | undefined {
    return [...this.#node.guards.values()].find((guard) => guard.moveUID === moveUID)?.ended;
  }

  async cleanupSource({ moveUID }: Command): Promise<void> {
    this.#node.freezes.delete(moveUID);
    for (const [podUID, guard] of this.#node.guards) {
      if (guard.moveUID === moveUID) this.#node.guards.delete(podUID);
    }
  }

  /** Guards what the records say; newborns that came while no agent was there are killed now. */
  async recover({ source }: { source: GuardedSource[] }): Promise<void> {
    const { guards, containers } = this.#node;
    this.#node.guarded = true;
    guards.clear();
    for (const { moveUID, podUID, containerID, dumped } of source) {
      const isFrozen = containers.get(containerID)?.process.state === "frozen";
      if (dumped || isFrozen) guards.set(podUID, { moveUID, containerID, ended: 0 });
    }
    for (const container of containers.values()) {
      const guard = guards.get(container.pod.metadata.uid);
      if (!guard || guard.containerID === container.id || container.exit) continue;
      guard.ended++;
      this.#node.end(container, 137, "Error");
    }
  }

  #refuseSlowLink(limits: FreezeLimits, bytes: number, { from, to }: Way): void {
    if (!isWorthMeasuring(limits, bytes)) return;
    const refusal = linkRefusal(limits, bytes, { bytesPerSecond: this.#options.links.rate(from, to), atLeast: false });
    if (refusal) throw refusal;
  }

  #container(source: Source): Container | undefined {
    return this.#node.containers.get(source.containerID);
  }

  #sourceOf(source: Source): Container {
    const container = this.#container(source);
    if (!container || container.process.state === "dead") {
      throw new AgentError("SourceGone", `container ${source.containerID} does not run`);
    }
    return container;
  }

  #registration(podUID: string, moveUID: string): Registration {
    const registration = this.#node.registrations.get(podUID);
    if (registration?.moveUID !== moveUID)
      throw new AgentError("WrongState", "the pod is not registered for this move");
    if (registration.barred) throw new AgentError("RestoreFailed", "the move was aborted");
    return registration;
  }

  /** By the pod, or by the move where the pod is not known. */
  #registered({ moveUID, podUID }: { moveUID: string; podUID: string }): Registration | undefined {
    const own = this.#node.registrations.get(podUID);
    return own ?? [...this.#node.registrations.values()].find((one) => one.moveUID === moveUID);
  }

  #staging(moveUID: string): Staging {
    const staging = this.#node.staging.get(moveUID);
    if (!staging) throw new AgentError("WrongState", "this move receives nothing here");
    return staging;
  }

  #staged(): number {
    return [...this.#node.staging.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The kubelet's `create` of the target that waits for its restore. */
  async #createWaits(registration: Registration, step: AbortSignal): Promise<HeldCreate> {
    const untilMs = this.#node.clock.now() + CREATE_MS;
    while (!registration.waiting) {
      if (this.#node.clock.now() >= untilMs)
        throw new AgentError("RestoreFailed", "containerd did not create the target's container");
      const arrived = new AbortController();
      registration.onWaiting = () => arrived.abort();
      await this.#pass(untilMs - this.#node.clock.now(), step, arrived.signal);
      registration.onWaiting = undefined;
    }
    return registration.waiting;
  }

  #orKilled(step: AbortSignal): AbortSignal {
    return AbortSignal.any([step, this.#options.killed]);
  }

  /** Rejects when the step or the agent is ended; resolves early at `enough`. */
  #pass(milliseconds: number, step: AbortSignal, enough?: AbortSignal): Promise<void> {
    const signal = this.#orKilled(step);
    if (signal.aborted) return Promise.reject(ended());
    return new Promise((resolve, reject) => {
      const timer = this.#node.clock.after(milliseconds, resolve);
      enough?.addEventListener("abort", () => {
        timer.cancel();
        resolve();
      });
      signal.addEventListener("abort", () => {
        timer.cancel();
        reject(ended());
      });
    });
  }
}

/** Among the parts of a landing: all others are emptyDirs, whose names can't have a slash. */
const LAYER = "/";

const ended = (): AgentError => new AgentError("Internal", "the step was ended", { retryable: true });
const giveUp = (): never => {
  throw ended();
};
