/**
 * Nodes whose agents keep the real agent's rules (StepRunner) over simulated containers. Everything that would be an
 * accident for the workload is written down the moment it happens: two running copies, none, a cold start.
 */
import { AgentError } from "../../../src/agent/agent-error.ts";
import { MemoryMoveRecords } from "../../../src/agent/move-records.ts";
import type { Cleaned, MoveRecord, NodeFeatures, Resumed, SourceFacts, Turn } from "../../../src/agent/protocol.ts";
import { StepRunner } from "../../../src/agent/step-runner.ts";
import type { StepName } from "../../../src/agent/steps.ts";
import {
  type CheckpointDriver,
  DriverError,
  type DumpOptions,
  type MoveId,
  type SourceContainer,
} from "../../../src/checkpointing/driver.ts";

import type { SimulatedLink } from "./simulated-link.ts";

/** Where the workload's memory lives. `dead`: it ran and is gone; `waiting`: create is held, nothing there yet. `other`:
 * a pod that an owner made in place of the moved one, with a memory of its own. */
export type CopyState = "waiting" | "running" | "frozen" | "held" | "dead" | "other";

interface SimulatedNode {
  records: MemoryMoveRecords;
  runner: StepRunner;
  registered: Set<string>;
  /** What is on the node's disk beside its records, and outlives them: pods by their moves, and the marks by pods. */
  pods: Map<string, string>;
  released: Set<string>;
  aborted: Set<string>;
  reachable: boolean;
}

export const GIB = 2 ** 30;
export const FACTS: SourceFacts = {
  running: true,
  memoryBytes: 0.1 * GIB,
  filesBytes: 0,
  memoryFilesBytes: 0,
  processes: 1,
  threads: 1,
  kinds: ["root"],
  establishedTcp: [],
  innerConnections: 0,
  obstacles: [],
};
export const FEATURES: NodeFeatures = {
  agentVersion: "1",
  criuVersion: "4.1",
  runcVersion: "1.3",
  kernel: "6.12",
  cgroupVersion: 2,
  cpuFlags: ["avx", "sse2"],
  lazyPages: true,
  memDirtyTrack: true,
  containerdVersion: "1.7.24",
  lsm: "none",
  keepsConnections: true,
  verdicts: [],
  handlerInstalled: true,
  turn: { state: "none" },
  stagingBudgetBytes: 8 * GIB,
  stagingFreeBytes: 8 * GIB,
  filesFreeBytes: 100 * GIB,
};

/** A failure to be thrown by the next calls of a step; `after`: once the step has been carried out, its answer lost. */
export interface PlannedFailure {
  reason: DriverError["reason"];
  retryable: boolean;
  times: number;
  after?: boolean;
}

export class SimulatedNodes implements CheckpointDriver {
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #copies = new Map<string, CopyState>();
  readonly #clock: () => number;
  readonly accidents: string[] = [];
  readonly failures = new Map<string, PlannedFailure>();
  readonly overrides = new Map<string, Partial<NodeFeatures>>();
  facts: SourceFacts = FACTS;
  /** Called right before a copy's first instruction. */
  onRelease: (podUID: string) => void = () => {};
  /** Between all nodes; absent: a dump takes no time. */
  link: SimulatedLink | undefined;
  /** Pages that a complete dump has brought to the target; lost when the target gives them up. */
  #staged = false;
  /** By move: when its source was frozen. */
  readonly #frozenAtMs = new Map<string, number>();
  /** By move: where its pages go. */
  readonly #peers = new Map<string, string>();

  constructor(names: string[], clock: () => number) {
    this.#clock = clock;
    for (const name of names) {
      const records = new MemoryMoveRecords();
      const marks = {
        pods: new Map(),
        registered: new Set<string>(),
        released: new Set<string>(),
        aborted: new Set<string>(),
      };
      this.#nodes.set(name, { records, runner: new StepRunner(records), ...marks, reachable: true });
    }
  }

  copy(podUID: string): CopyState | undefined {
    return this.#copies.get(podUID);
  }

  /** Sets what a pod's container is, and looks for accidents. */
  set(podUID: string, state: CopyState): void {
    this.#copies.set(podUID, state);
    const states = [...this.#copies.values()];
    if (states.filter((one) => one === "running").length > 1) this.accidents.push("two running copies");
    if (!states.some((one) => one === "running" || one === "frozen" || one === "held")) this.accidents.push("no copy");
  }

  /** How many containers run with the workload's memory, or in place of it. */
  get running(): number {
    return [...this.#copies.values()].filter((state) => state === "running").length;
  }

  /** A kubelet starts a container that no agent holds back: with its memory lost. */
  coldStart(podUID: string): void {
    this.accidents.push(`cold start of ${podUID}`);
    this.set(podUID, "running");
  }

  /** A pod of an owner's own making starts. */
  startOther(podUID: string): void {
    this.#copies.set(podUID, "other");
  }

  isRegistered(node: string, podUID: string): boolean {
    return this.#node(node).registered.has(podUID);
  }

  /** Its agent ends what a kubelet starts in place of the frozen container of a move's source. */
  guards(node: string, podUID: string): boolean {
    const guarded = ["dumping", "dumped", "killed"];
    if (this.withoutAgent.has(node)) return false;
    return this.recordsOf(node).some((one) => one.podUID === podUID && guarded.includes(one.state));
  }

  /** By a release of which the API knows nothing any more. */
  markReleased(node: string, podUID: string): void {
    this.#node(node).released.add(podUID);
  }

  cutOff(node: string, cut: boolean): void {
    this.#node(node).reachable = !cut;
  }

  recordsOf(node: string): MoveRecord[] {
    return this.#node(node).records.list();
  }

  /** The held create of a target shows in its record. */
  createCalled(node: string, podUID: string): void {
    const { records } = this.#node(node);
    const record = records.list().find((one) => one.podUID === podUID && one.role === "target");
    if (record && !record.createWaiting) records.save({ ...record, createWaiting: true });
    if (this.copy(podUID) === undefined) this.#copies.set(podUID, "waiting");
  }

  async features(node: string): Promise<NodeFeatures> {
    return this.#call(node, "features", async () => ({ ...FEATURES, ...this.overrides.get(node) }));
  }

  /** Its nodes are prepared. */
  async prepare(): Promise<Turn> {
    return { state: "none" };
  }

  async inspect(node: string, source: SourceContainer): Promise<SourceFacts> {
    return this.#call(node, "inspect", async () => ({
      ...this.facts,
      running: this.copy(source.podUID) === "running",
    }));
  }

  async register(node: string, move: MoveId, target: { podUID: string }): Promise<void> {
    await this.#step(node, "target", "register", move, target.podUID, () => {
      this.#node(node).registered.add(target.podUID);
      this.#node(node).pods.set(move.moveUID, target.podUID);
    });
  }

  async receive(node: string, move: MoveId) {
    await this.#step(node, "target", "receive", move, this.#podOf(node, move), () => {});
    return { address: "10.0.0.2", pagePort: 20_000, agentPort: 9808, token: "t".repeat(32) };
  }

  async dump(node: string, move: MoveId, source: SourceContainer, { peer, limits }: DumpOptions) {
    this.#peers.set(move.moveUID, peer.node);
    return this.#step(node, "source", "dump", move, source.podUID, async (givenUp) => {
      if (this.copy(source.podUID) === "dead") throw new AgentError("SourceGone", "the container is gone");
      this.link?.admit(limits, this.facts.memoryBytes + limits.filesBytes);
      const frozenAtMs = this.#clock();
      this.#frozenAtMs.set(move.moveUID, frozenAtMs);
      this.set(source.podUID, "frozen");
      await this.link?.send(this.facts.memoryBytes + limits.filesBytes, givenUp);
      this.#staged = true;
      return { frozenAtMs, memoryBytes: 1e8, transferredBytes: 1e8, timings: { dump: 400 } };
    });
  }

  async restore(node: string, move: MoveId, target: { podUID: string; again?: boolean }) {
    return this.#step(node, "target", "restore", move, target.podUID, () => {
      if (!this.#staged) throw new AgentError("RestoreFailed", "nothing is staged");
      const copy = this.copy(target.podUID);
      if (copy === "dead" && !target.again) throw new AgentError("CopyDead", "the copy died");
      if (copy === undefined) throw new AgentError("RestoreFailed", "no create waits", { retryable: true });
      this.set(target.podUID, "held");
      return { containerID: "restored", pid: 2, timings: { restore: 200 } };
    });
  }

  async release(node: string, move: MoveId, { podUID }: { podUID: string }) {
    const run = () => {
      if (this.copy(podUID) === "running") return { releasedAtMs: this.#clock() };
      if (this.copy(podUID) !== "held") throw new AgentError("ReleaseFailed", "the copy is gone");
      this.#node(node).registered.delete(podUID);
      this.onRelease(podUID);
      this.set(podUID, "running");
      return { releasedAtMs: this.#clock() };
    };
    return this.#step(node, "target", "release", move, podUID, run, () => {
      const { released, aborted } = this.#node(node);
      if (aborted.has(podUID)) throw new AgentError("WrongState", "the move was rolled back");
      const held = this.copy(podUID) === "held" || released.has(podUID);
      if (!held) throw new AgentError("CopyDead", "the held copy has died");
      released.add(podUID);
    });
  }

  async abort(node: string, move: MoveId): Promise<void> {
    const podUID = this.#podOf(node, move);
    const run = () => {
      this.#staged = false;
      this.#node(node).registered.add(podUID);
      if (this.copy(podUID) !== undefined) this.set(podUID, "dead");
    };
    await this.#step(node, "target", "abort", move, podUID, run, () => {
      if (this.#node(node).released.has(podUID)) throw new AgentError("AlreadyReleased", "the copy has been released");
      this.#node(node).aborted.add(podUID);
    });
  }

  async resume(node: string, move: MoveId, source: SourceContainer): Promise<Resumed> {
    return this.#step(node, "source", "resume", move, source.podUID, () => {
      if (this.copy(source.podUID) === "dead") throw new AgentError("SourceGone", "the container is gone");
      this.set(source.podUID, "running");
      const frozenAtMs = this.#frozenAtMs.get(move.moveUID);
      return frozenAtMs === undefined ? {} : { freeze: { frozenAtMs, resumedAtMs: this.#clock() } };
    });
  }

  async kill(node: string, move: MoveId, source: SourceContainer): Promise<void> {
    await this.#step(node, "source", "kill", move, source.podUID, () => {
      // Init is the kubelet's to end.
      if (this.copy(source.podUID) === "dead") return;
      throw new AgentError("WrongState", "the source waits for its kubelet", { retryable: true });
    });
  }

  /** Why a target's memory did not all come. */
  memoryLost: string | undefined;

  async cleanup(node: string, role: "source" | "target", move: MoveId): Promise<Cleaned> {
    const podUID = this.#podOf(node, move);
    return this.#step(node, role, "cleanup", move, podUID, () => {
      // A pod that its kubelet has done nothing for is not seen on the node: the bar against a cold start goes with the rest.
      if (role === "target" && this.copy(podUID) === undefined) this.#node(node).registered.delete(podUID);
      if (role === "source" || this.memoryLost === undefined) return {};
      if (this.copy(podUID) === "running") this.set(podUID, "dead");
      return { memoryLost: this.memoryLost };
    });
  }

  async moves(node: string): Promise<MoveRecord[]> {
    return this.#call(node, "moves", async () =>
      this.recordsOf(node).map((record) => {
        if (record.role === "target") return { ...record, ...this.#copyAlive(record), ...this.#arrived(record) };
        const peerNode = this.#peers.get(record.moveUID);
        const copy = this.copy(record.podUID);
        const process = copy === "frozen" ? copy : copy === "running" ? copy : "ended";
        return { ...record, process, ...(peerNode === undefined ? {} : { peerNode }) };
      }),
    );
  }

  #copyAlive({ podUID, state }: MoveRecord): Pick<MoveRecord, "copyAlive"> {
    if (state !== "held" && state !== "released") return {};
    return { copyAlive: this.copy(podUID) === "held" || this.copy(podUID) === "running" };
  }

  #arrived({ state }: MoveRecord): Pick<MoveRecord, "images" | "progress"> {
    if (state === "registered" || state === "aborted") return {};
    const progress = state === "receiving" ? this.link?.progress : undefined;
    return {
      images: this.#staged ? "whole" : state === "receiving" ? "partial" : "gone",
      ...(progress && { progress }),
    };
  }

  /** The node is restarted: its processes, and what is staged in memory, are gone. */
  reboot(node: string, podUID: string): void {
    this.#staged = false;
    if (this.#node(node).pods.size > 0) this.set(podUID, "dead");
  }

  /** The node's records are lost; its marks, and what runs there, are not. */
  loseRecords(node: string): void {
    const found = this.#node(node);
    found.records = new MemoryMoveRecords();
    found.runner = new StepRunner(found.records);
  }

  /** Nodes whose agent's pod is being replaced. */
  readonly withoutAgent = new Set<string>();

  #node(name: string): SimulatedNode {
    const node = this.#nodes.get(name);
    if (!node) throw new DriverError(name, "NoAgent", `no agent on ${name}`, true);
    return node;
  }

  #podOf(node: string, move: MoveId): string {
    const { records, pods } = this.#node(node);
    return records.get(move.moveUID, "target")?.podUID ?? pods.get(move.moveUID) ?? "unknown";
  }

  async #step<T>(
    node: string,
    role: MoveRecord["role"],
    step: StepName,
    move: MoveId,
    podUID: string,
    run: (givenUp: AbortSignal) => T | Promise<T>,
    mark: () => void = () => {},
  ): Promise<T> {
    const { moveUID, epoch } = move;
    const request = { moveUID, epoch, role, step, podUID, mark, run: async (givenUp: AbortSignal) => run(givenUp) };
    // StepRunner hands back what `run` returned, now or at an earlier call of the same step.
    return this.#call(node, step, async () => (await this.#node(node).runner.execute(request)) as T);
  }

  async #call<T>(node: string, name: string, call: () => Promise<T>): Promise<T> {
    const failure = this.failures.get(name);
    if (this.withoutAgent.has(node)) throw new DriverError(node, "NoAgent", `no agent runs on ${node}`, true);
    if (!this.#node(node).reachable) throw new DriverError(node, "Unreachable", "no answer", true);
    const due = failure !== undefined && failure.times-- > 0;
    if (due && !failure.after)
      throw new DriverError(node, failure.reason, `${name} fails on purpose`, failure.retryable);
    const answer = await call().catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      throw new DriverError(node, error.reason, error.message, error.retryable, error);
    });
    if (due) throw new DriverError(node, failure.reason, `${name}: the answer is lost`, failure.retryable);
    return answer;
  }
}
