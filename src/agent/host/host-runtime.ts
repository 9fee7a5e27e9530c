/** The real node: runc and CRIU in the host's namespaces. See ../node-runtime.ts for what the server promises and expects. */
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { type Amount, amountBytes } from "../../api/quantity.ts";
import { AgentError } from "../agent-error.ts";
import type { HandlerStatus } from "../containerd/handler.ts";
import { isMemoryShared } from "../criu-images/sharing.ts";
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
} from "../node-runtime.ts";
import { type Preparation, whyNotPrepared } from "../preparation.ts";
import type {
  Cleaned,
  Command,
  Dumped,
  MoveRecord,
  NodeFeatures,
  Released,
  Restored,
  Resumed,
  SourceFacts,
  Turn,
  Verdict,
} from "../protocol.ts";
import { endMoveGroup, makeMoveGroup } from "./cgroups.ts";
import { forgetCopy } from "./copy-ending.ts";
import { noteTree, removeUnusedTrees } from "./criu-tree.ts";
import { dump } from "./dump.ts";
import { type FixedFeatures, probe } from "./features.ts";
import { grantedOf } from "./granted.ts";
import { type Host, withPrograms } from "./host.ts";
import { adaptImages } from "./image-adapting.ts";
import type { FilterOf } from "./image-rights.ts";
import { Joined } from "./joined.ts";
import { filesFreeBytes, removeForgotten, removeLanded } from "./landing.ts";
import { sourceMoveOf, targetMoveOf } from "./layout.ts";
import { Reception } from "./reception.ts";
import { isReleased, markAborted, podOfMove, podsOnNode, register, sweepAborted, unregister } from "./registration.ts";
import { abort, copyAlive, decideRelease, memoryComplete, type RestoreLimits, release, restore } from "./restore.ts";
import { forgetDeadCopy } from "./restore-again.ts";
import { RuntimeFilters } from "./runtime-filter.ts";
import { killSource, resumeSource } from "./source-ending.ts";
import { gatherFacts } from "./source-facts.ts";
import { SourceGuard } from "./source-guard.ts";
import { sourceProcess } from "./source-watch.ts";
import { availableBytes, removeStaging, stagedBytes } from "./staging.ts";
import { waitingCreates } from "./waiting-create.ts";

export interface HostRuntimeOptions {
  host: Host;
  agentVersion: string;
  /** Folder (host path) that holds the `criu` to work with; undefined: the node's own, in its PATH. */
  criu: string | undefined;
  /** Address that the page server listens on. */
  nodeAddress: string;
  /** All moves' staging areas together, of the node's memory. */
  stagingBudget: Amount;
  /** As the node proved itself. */
  verdicts: () => Verdict[];
  preparation: Pick<Preparation, "turn" | "begin">;
  /** Is the runtime handler in containerd's running configuration, and if not, why? */
  handler: () => Promise<HandlerStatus>;
  /** Longest that a dump may take, milliseconds. */
  dumpMs: number;
  restore: RestoreLimits;
  warn: (message: string) => void;
}

export class HostRuntime implements NodeRuntime {
  readonly #options: HostRuntimeOptions;
  readonly #host: Host;
  readonly #guard: SourceGuard;
  readonly #reception: Reception;
  readonly #inspections = new Joined<SourceFacts>();
  readonly #filters = new RuntimeFilters();
  #fixed: Promise<FixedFeatures> | undefined;

  constructor(options: HostRuntimeOptions) {
    this.#options = options;
    this.#host = options.criu === undefined ? options.host : withPrograms(options.host, options.criu);
    this.#guard = new SourceGuard(options.host, options.warn);
    this.#reception = new Reception({
      host: this.#host,
      nodeAddress: options.nodeAddress,
      restoreMs: options.restore.restoreMs,
      lazyPages: (moveUID) => this.#isLazyMove(moveUID),
      warn: options.warn,
    });
  }

  async features(): Promise<NodeFeatures> {
    const [fixed, handler] = await Promise.all([this.#probe(), this.#options.handler()]);
    const budget = this.#budget();
    const handlerMessage = handler.installed ? undefined : (whyNotPrepared(this.turn()) ?? handler.message);
    return {
      ...fixed,
      lazyPages: await this.#isLazy(),
      verdicts: this.#options.verdicts(),
      agentVersion: this.#options.agentVersion,
      containerdVersion: handler.daemon?.version ?? "unknown",
      lsm: handler.daemon?.lsm,
      keepsConnections: true,
      cgroupDriver: handler.daemon?.cgroupDriver,
      handlerInstalled: handler.installed,
      ...(handlerMessage === undefined ? {} : { handlerMessage }),
      turn: this.turn(),
      stagingBudgetBytes: budget,
      stagingFreeBytes: Math.max(0, Math.min(budget - stagedBytes(this.#host), availableBytes(this.#host))),
      filesFreeBytes: filesFreeBytes(this.#host),
    };
  }

  turn(): Turn {
    return this.#options.preparation.turn;
  }

  prepare(): Turn {
    return this.#options.preparation.begin();
  }

  async inspect(source: Source): Promise<SourceFacts> {
    return await this.#inspections.join(source.containerID, () => gatherFacts(this.#host, source.containerID));
  }

  async register(command: RegisterCommand): Promise<void> {
    register(this.#host, command.moveUID, command.podUID, command.containerName);
  }

  createWaiting(moveUID: string): boolean {
    const [container] = waitingCreates(this.#host, moveUID);
    if (container === undefined) return false;
    void this.#readFilterAhead(moveUID, container).catch(() => undefined); // it shows when the filter is needed
    return true;
  }

  /** While the source still runs. */
  async #readFilterAhead(moveUID: string, container: string): Promise<void> {
    const { profile } = grantedOf(this.#host, container);
    if (profile) await this.#filterOf(moveUID)(profile);
  }

  #filterOf(moveUID: string): FilterOf {
    return (profile) =>
      this.#filters.of({ host: this.#host, procs: makeMoveGroup(this.#host, moveUID, undefined) }, profile);
  }

  async receive(command: ReceiveCommand): Promise<{ address: string; pagePort: number }> {
    return await this.#reception.receive(command, this.#budget());
  }

  async acceptFiles(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void> {
    await this.#reception.accept(moveUID, part, body, signal);
  }

  arrived(moveUID: string): Pick<MoveRecord, "images" | "progress"> {
    return this.#reception.arrived(moveUID);
  }

  async restore(command: RestoreCommand, signal: AbortSignal): Promise<Restored> {
    const isLazy = () => this.#isLazyMove(command.moveUID);
    if (command.again) await forgetDeadCopy(this.#host, command, signal);
    noteTree(this.#host, command.moveUID, this.#options.criu);
    const prepare = async (container: string) => {
      await this.#reception.filesOf(command.moveUID).give(container);
      await adaptImages(this.#host, command.moveUID, container, this.#filterOf(command.moveUID));
    };
    return await restore(this.#host, command, prepare, isLazy, signal, this.#options.restore);
  }

  markReleased(command: Command & { podUID: string }): void {
    const podUID = this.#podOf(command);
    if (podUID === "") throw new AgentError("ReleaseFailed", "this node knows no copy of this move");
    decideRelease(this.#host, { ...command, podUID });
  }

  async release(command: Command & { podUID: string }): Promise<Released> {
    return await release(this.#host, command);
  }

  /** A move that no record and no registration knows has no copy here, and nothing to mark. */
  markAborted(command: Command & { podUID: string }): void {
    const podUID = this.#podOf(command);
    if (podUID !== "") markAborted(this.#host, podUID);
  }

  copyAlive(moveUID: string): boolean | undefined {
    return copyAlive(this.#host, moveUID);
  }

  async abort(command: Command & { podUID: string }): Promise<void> {
    await this.#reception.end(command.moveUID);
    await abort(this.#host, command);
    await endMoveGroup(this.#host, command.moveUID);
    await removeLanded(this.#host, command.moveUID);
  }

  async cleanupTarget(command: Command & { podUID: string; released: boolean }): Promise<Cleaned> {
    const { moveUID } = command;
    const podUID = this.#podOf(command);
    await this.#reception.end(moveUID);
    await removeLanded(this.#host, moveUID); // nothing restores the copy once more
    const incomplete = await memoryComplete(this.#host, moveUID, this.#options.restore.restoreMs);
    const released = command.released || (podUID !== "" && isReleased(this.#host, podUID));
    const memoryLost = released ? incomplete : undefined; // what was aborted lacks nothing
    if (memoryLost !== undefined) this.#options.warn(`move ${moveUID}: ${memoryLost}`);
    await endMoveGroup(this.#host, moveUID);
    if (!released) await this.#forgetCopy(moveUID);
    await removeStaging(this.#host, moveUID);
    if (released) unregister(this.#host, podUID);
    else if (podUID !== "") markAborted(this.#host, podUID);
    return memoryLost === undefined ? {} : { memoryLost };
  }

  sourceProcess(moveUID: string, containerID: string): SourceProcess | undefined {
    return sourceProcess(this.#host, moveUID, containerID);
  }

  async dump(command: DumpCommand, peer: Peer, signal: AbortSignal): Promise<Dumped> {
    const { moveUID, source } = command;
    this.#guard.watch({ moveUID, ...source, dumped: false });
    return await dump(this.#host, command, peer, signal, { dumpMs: this.#options.dumpMs });
  }

  async resume(command: SourceCommand): Promise<Resumed> {
    this.#guard.release(command.moveUID, command.source.podUID);
    return await resumeSource(this.#host, command);
  }

  async kill(command: SourceCommand): Promise<void> {
    const { moveUID, source } = command;
    if (source.containerID !== "") this.#guard.watch({ moveUID, ...source, dumped: true });
    await killSource(this.#host, command);
  }

  endedAtBirth(moveUID: string): number | undefined {
    return this.#guard.ended(moveUID);
  }

  async cleanupSource(command: Command & { podUID: string }): Promise<void> {
    this.#guard.release(command.moveUID, command.podUID);
    await endMoveGroup(this.#host, command.moveUID);
    await rm(this.#host.path(sourceMoveOf(command.moveUID).directory), { recursive: true, force: true });
  }

  /** Listens again, on the same ports, for pages that have not begun to come. */
  async recover(moves: { target: string[]; source: GuardedSource[] }): Promise<void> {
    this.sweep();
    for (const source of moves.source) this.#guard.resume(source);
    await removeForgotten(this.#host, moves.target);
    for (const moveUID of moves.target) await this.#reception.resume(moveUID);
  }

  /** Lifts the bar from pods that were rolled back long ago and are gone, and removes what former agents have left of CRIU. */
  sweep(): void {
    if (this.#options.criu !== undefined) removeUnusedTrees(this.#host, this.#options.criu);
    sweepAborted(this.#host, podsOnNode(this.#host), Date.now());
  }

  /** What runc still knows of it takes some bytes, and holds nothing up. */
  async #forgetCopy(moveUID: string): Promise<void> {
    await forgetCopy(this.#host, moveUID).catch((error: unknown) =>
      this.#options.warn(`move ${moveUID}: runc does not forget its copy: ${String(error)}`),
    );
  }

  /** The records may be lost, the registrations are on the disk. Empty: the node knows nothing of this move. */
  #podOf({ moveUID, podUID }: { moveUID: string; podUID: string }): string {
    return podUID !== "" ? podUID : (podOfMove(this.#host, moveUID) ?? "");
  }

  #probe(): Promise<FixedFeatures> {
    this.#fixed ??= probe(this.#host).catch((error: unknown) => {
      this.#fixed = undefined;
      throw error;
    });
    return this.#fixed;
  }

  /** Where CRIU has the means and they were seen to work. */
  async #isLazy(): Promise<boolean> {
    const failed = this.#options.verdicts().some(({ kind, ok }) => kind === "lazyPages" && !ok);
    return (await this.#probe()).lazyPages && !failed;
  }

  /** Not where processes share memory: each would have its own then. */
  async #isLazyMove(moveUID: string): Promise<boolean> {
    return (await this.#isLazy()) && !isMemoryShared(this.#host.path(targetMoveOf(moveUID).images));
  }

  #budget(): number {
    const total = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync(this.#host.path("/proc/meminfo"), "utf8"))?.[1];
    return amountBytes(this.#options.stagingBudget, Number(total ?? 0) * 1024);
  }
}
