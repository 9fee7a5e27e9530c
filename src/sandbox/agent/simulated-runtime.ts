/**
 * The node side of a move on a simulated node, with the semantics of the real one: a dump leaves the source frozen, a restore is
 * held, nothing is resumed or released but by `resume` and `release`. What lies on the node (processes, registrations, what is
 * staged) outlives this object, as it outlives an agent's process.
 */
import type { Readable } from "node:stream";
import { z } from "zod";
import { AgentError } from "../../agent/agent-error.ts";
import { isWorthMeasuring, linkRefusal } from "../../agent/link.ts";
import type {
  DumpCommand,
  FilePart,
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
} from "../../agent/protocol.ts";
import type { Container, Registration, SimulatedNode, Staging } from "../nodes/node.ts";

export interface RuntimeOptions {
  node: SimulatedNode;
  /** Bytes per second from node to node. */
  bandwidth: number;
  /** Bytes that all moves together may stage here. */
  stagingBudgetBytes: number;
  /** The agent's death: what a step has not done by then, it does not do. */
  killed: AbortSignal;
}

/** Milliseconds that the steps of a real move take beside its bytes. */
const PAUSE_MS = 20;
const RESTORE_MS = 60;

const imageSchema = z.object({ instance: z.string(), workMs: z.number(), memoryBytes: z.number() });

export class SimulatedRuntime implements NodeRuntime {
  readonly #options: RuntimeOptions;
  readonly #node: SimulatedNode;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#node = options.node;
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
      handlerInstalled: true,
      stagingBudgetBytes,
      stagingFreeBytes: stagingBudgetBytes - this.#staged(),
      filesFreeBytes: 2 ** 40,
    });
  }

  inspect(source: Source): Promise<SourceFacts> {
    const process = this.#container(source)?.process;
    return Promise.resolve({
      running: process !== undefined && process.state !== "dead",
      memoryBytes: process?.memoryBytes ?? 0,
      filesBytes: 0,
      memoryFilesBytes: 0,
      processes: 1,
      establishedTcp: [],
      obstacles: [],
    });
  }

  async register({ moveUID, podUID }: RegisterCommand): Promise<void> {
    const present = this.#node.registrations.get(podUID);
    if (present?.moveUID === moveUID) return;
    if (present) throw new AgentError("WrongState", `pod ${podUID} is the target of another move, ${present.moveUID}`);
    this.#node.registrations.set(podUID, { moveUID, barred: false });
  }

  createWaiting(moveUID: string): boolean {
    const registrations = [...this.#node.registrations.values()];
    return registrations.some((registration) => registration.moveUID === moveUID && registration.waiting !== undefined);
  }

  async receive({ moveUID, stagingBytes }: ReceiveCommand): Promise<{ address: string; pagePort: number }> {
    if (!this.#node.staging.has(moveUID)) {
      const free = this.#options.stagingBudgetBytes - this.#staged();
      if (free < stagingBytes)
        throw new AgentError("NoRoom", `${free} bytes are free for staging, ${stagingBytes} are asked for`);
      this.#node.staging.set(moveUID, { bytes: 0 });
    }
    return { address: "127.0.0.1", pagePort: 1 };
  }

  async acceptFiles(moveUID: string, part: FilePart, body: Readable): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(Buffer.from(chunk));
    const staging = this.#node.staging.get(moveUID);
    if (!staging) throw new AgentError("WrongState", "this move receives nothing here");
    if (part.part !== "images") return;
    const image = imageSchema.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
    staging.image = image;
    staging.bytes = image.memoryBytes;
  }

  arrived(moveUID: string): Pick<MoveRecord, "images"> {
    const staging = this.#node.staging.get(moveUID);
    if (staging === undefined) return { images: "gone" };
    return { images: staging.image === undefined ? "none" : "whole" };
  }

  async restore({ moveUID, podUID }: RestoreCommand, signal: AbortSignal): Promise<Restored> {
    const registration = this.#registration(podUID, moveUID);
    const { image } = this.#staging(moveUID);
    if (!image) throw new AgentError("RestoreFailed", "the checkpoint is not complete");
    const startedMs = this.#node.clock.now();
    while (!registration.restored) {
      await this.#createWaits(registration, signal);
      await this.#pass(RESTORE_MS, signal);
      // The kubelet may have lost its patience meanwhile, and ask again later.
      if (!registration.waiting) continue;
      // The pages live in the container from here on.
      this.#staging(moveUID).bytes = 0;
      this.#node.restore(registration, image);
    }
    const { restored } = registration;
    if (!restored || restored.process.state === "dead")
      throw new AgentError("RestoreFailed", "the restored container died");
    return { containerID: restored.id, pid: 1, timings: { restore: this.#node.clock.now() - startedMs } };
  }

  markReleased(command: Command & { podUID: string }): void {
    const registration = this.#registered(command);
    if (registration?.barred) throw new AgentError("WrongState", "the move of this pod was rolled back");
    if (registration?.released) return;
    if (!registration) throw new AgentError("ReleaseFailed", "there is no copy, and it may have run");
    const { process } = registration.restored ?? {};
    if (!process || process.state === "dead") throw new AgentError("CopyDead", "the held copy has died");
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
      this.#node.registrations.set(command.podUID, { moveUID: command.moveUID, barred: true });
  }

  async abort(command: Command & { podUID: string }): Promise<void> {
    this.#registered(command)?.restored?.process.kill();
  }

  async cleanupTarget(command: Command & { podUID: string; released: boolean }): Promise<Cleaned> {
    this.#node.staging.delete(command.moveUID);
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

  async dump(command: DumpCommand, peer: Peer, signal: AbortSignal): Promise<Dumped> {
    const { process } = this.#sourceOf(command.source);
    await peer.open();
    if (process.state === "running") this.#refuseSlowLink(command.limits, process.memoryBytes);
    const frozenAtMs = this.#node.clock.now();
    this.#node.freezes.set(command.moveUID, frozenAtMs);
    process.freeze();
    await this.#pass(PAUSE_MS, signal);
    const image = process.image();
    await this.#pass((1000 * image.memoryBytes) / this.#options.bandwidth, signal);
    this.#options.killed.throwIfAborted();
    await peer.put({ part: "images" }, Buffer.from(JSON.stringify(image)), signal);
    const { memoryBytes } = image;
    const dumpMs = this.#node.clock.now() - frozenAtMs - PAUSE_MS;
    return { frozenAtMs, memoryBytes, transferredBytes: memoryBytes, timings: { pause: PAUSE_MS, dump: dumpMs } };
  }

  async resume({ moveUID, source }: SourceCommand): Promise<Resumed> {
    this.#container(source)?.process.resume();
    const frozenAtMs = this.#node.freezes.get(moveUID);
    return frozenAtMs === undefined ? {} : { freeze: { frozenAtMs, resumedAtMs: this.#node.clock.now() } };
  }

  async kill({ source }: SourceCommand): Promise<void> {
    this.#container(source)?.process.kill();
  }

  endedAtBirth(): number | undefined {
    return undefined;
  }

  async cleanupSource({ moveUID }: Command): Promise<void> {
    this.#node.freezes.delete(moveUID);
  }

  async recover(): Promise<void> {}

  #refuseSlowLink(limits: FreezeLimits, bytes: number): void {
    if (!isWorthMeasuring(limits, bytes)) return;
    const refusal = linkRefusal(limits, bytes, { bytesPerSecond: this.#options.bandwidth, atLeast: false });
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

  /** Resolves when the kubelet's `create` of the target waits for its restore. */
  #createWaits(registration: Registration, step: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([step, this.#options.killed]);
    if (registration.waiting) return Promise.resolve();
    return new Promise((resolve, reject) => {
      registration.onWaiting = resolve;
      signal.addEventListener("abort", () => reject(new AgentError("RestoreFailed", "the restore was ended")));
    });
  }

  #pass(milliseconds: number, step: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([step, this.#options.killed]);
    if (signal.aborted) return Promise.reject(ended());
    return new Promise((resolve, reject) => {
      const timer = this.#node.clock.after(milliseconds, resolve);
      signal.addEventListener("abort", () => {
        timer.cancel();
        reject(ended());
      });
    });
  }
}

const ended = (): AgentError => new AgentError("Internal", "the step was ended", { retryable: true });
