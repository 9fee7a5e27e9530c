/** A NodeRuntime that notes what it is asked and answers as a test tells it to. */
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { FilePart, NodeRuntime, SourceProcess } from "../../../src/agent/node-runtime.ts";
import type {
  Cleaned,
  Dumped,
  MoveRecord,
  NodeFeatures,
  Released,
  Restored,
  Resumed,
  SourceFacts,
  Turn,
} from "../../../src/agent/protocol.ts";

export class ScriptedRuntime implements NodeRuntime {
  readonly calls: string[] = [];
  readonly files: { moveUID: string; part: FilePart; text: string }[] = [];
  /** Runs inside the step of this name. */
  readonly inside = new Map<string, (signal?: AbortSignal) => Promise<void>>();

  async #step<T>(name: string, answer: T, signal?: AbortSignal): Promise<T> {
    this.calls.push(name);
    await this.inside.get(name)?.(signal);
    return answer;
  }

  features(): Promise<NodeFeatures> {
    return this.#step("features", {
      agentVersion: "0",
      criuVersion: "4.1",
      runcVersion: "1.1",
      kernel: "6.12",
      cgroupVersion: 2,
      cpuFlags: ["sse2"],
      lazyPages: true,
      memDirtyTrack: true,
      containerdVersion: "1.7.24",
      keepsConnections: true,
      verdicts: [],
      handlerInstalled: true,
      turn: this.state,
      stagingBudgetBytes: 1,
      stagingFreeBytes: 1,
      filesFreeBytes: 1,
    });
  }
  /** Where the node is with being prepared. */
  state: Turn = { state: "none" };
  turn(): Turn {
    return this.state;
  }
  prepare(): Turn {
    if (this.state.state === "waiting") this.state = { state: "preparing" };
    return this.state;
  }
  inspect(): Promise<SourceFacts> {
    const size = { memoryBytes: 1, filesBytes: 0, memoryFilesBytes: 0, processes: 1, threads: 1 };
    const connections = { establishedTcp: [], innerConnections: 0 };
    return this.#step("inspect", { running: true, ...size, ...connections, kinds: [], obstacles: [] });
  }
  register(_command: unknown, signal: AbortSignal): Promise<void> {
    return this.#step("register", undefined, signal);
  }
  createWaiting(): boolean {
    return this.calls.includes("register");
  }
  receive(_command: unknown, signal: AbortSignal): Promise<{ address: string; pagePort: number }> {
    return this.#step("receive", { address: "127.0.0.1", pagePort: 4000 }, signal);
  }
  async acceptFiles(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void> {
    await this.inside.get("acceptFiles")?.(signal);
    this.files.push({ moveUID, part, text: (await buffer(body)).toString() });
  }
  /** What `arrived` finds. */
  arrival: Pick<MoveRecord, "images" | "progress"> = {};
  arrived(): Pick<MoveRecord, "images" | "progress"> {
    return this.arrival;
  }
  restore(_command: unknown, signal: AbortSignal): Promise<Restored> {
    return this.#step("restore", { containerID: "c", pid: 7, timings: { restore: 1 } }, signal);
  }
  markReleased(): void {
    this.#mark("markReleased");
  }
  markAborted(): void {
    this.#mark("markAborted");
  }
  /** What a mark is refused with. */
  readonly refusals = new Map<string, Error>();
  #mark(name: string): void {
    const refusal = this.refusals.get(name);
    if (refusal) throw refusal;
    this.calls.push(name);
  }
  copyAlive(): boolean | undefined {
    return true;
  }
  release(_command: unknown, signal: AbortSignal): Promise<Released> {
    return this.#step("release", { releasedAtMs: 42 }, signal);
  }
  abort(_command: unknown, signal: AbortSignal): Promise<void> {
    return this.#step("abort", undefined, signal);
  }
  /** What a clean-up finds. */
  cleaned: Cleaned = {};
  cleanupTarget(): Promise<Cleaned> {
    return this.#step("cleanupTarget", this.cleaned);
  }
  /** Of a container by its name; absent: cannot tell. */
  readonly process = new Map<string, SourceProcess>();
  sourceProcess(_moveUID: string, containerID: string): SourceProcess | undefined {
    return this.process.get(containerID);
  }
  dump(_command: unknown, _peer: unknown, signal: AbortSignal): Promise<Dumped> {
    return this.#step("dump", { frozenAtMs: 1, memoryBytes: 2, transferredBytes: 3, timings: {} }, signal);
  }
  resume(_command: unknown, signal: AbortSignal): Promise<Resumed> {
    return this.#step("resume", { freeze: { frozenAtMs: 1, resumedAtMs: 43 } }, signal);
  }
  kill(_command: unknown, signal: AbortSignal): Promise<void> {
    return this.#step("kill", undefined, signal);
  }
  endedAtBirth(): number | undefined {
    return undefined;
  }
  cleanupSource(): Promise<void> {
    return this.#step("cleanupSource", undefined);
  }
  recover(): Promise<void> {
    return this.#step("recover", undefined);
  }
}
