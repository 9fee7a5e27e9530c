/** The real node: runc and CRIU in the host's namespaces. See ../node-runtime.ts for what the server promises and expects. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { type Amount, amountBytes } from "../../api/quantity.ts";
import { AgentError } from "../agent-error.ts";
import { writeDurably } from "../move-records.ts";
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
import {
  type Cleaned,
  type Command,
  type Dumped,
  type EmptyDir,
  emptyDirSchema,
  type MoveRecord,
  type NodeFeatures,
  type Released,
  type Restored,
  type Resumed,
  type SourceFacts,
} from "../protocol.ts";
import { arrivedBytes, imagesOf, RateMeter } from "./arrival.ts";
import { endMoveGroup, makeMoveGroup } from "./cgroups.ts";
import { forgetCopy } from "./copy-ending.ts";
import { noteTree, removeUnusedTrees } from "./criu-tree.ts";
import { wasStarted } from "./detached.ts";
import { dump } from "./dump.ts";
import { type FixedFeatures, probe } from "./features.ts";
import { endOrphans, FileApplying } from "./file-applying.ts";
import { readIfThere } from "./files.ts";
import { type Host, withPrograms } from "./host.ts";
import { unbundleImages } from "./image-bundle.ts";
import { Joined } from "./joined.ts";
import { filesFreeBytes, land, landedFile, removeForgotten, removeLanded } from "./landing.ts";
import { sourceMoveOf, targetMoveOf } from "./layout.ts";
import { type ExpectedGreeting, expected, greetingOf } from "./page-greeting.ts";
import { forgetFailedPageServer, listenForPages, type PageListener, pageServerOf } from "./page-server.ts";
import { isReleased, markAborted, podOfMove, podsOnNode, register, sweepAborted, unregister } from "./registration.ts";
import {
  abort,
  copyAlive,
  decideRelease,
  memoryComplete,
  pagesArrived,
  type RestoreLimits,
  release,
  restore,
  startLazyPages,
} from "./restore.ts";
import { forgetDeadCopy } from "./restore-again.ts";
import { killSource, resumeSource } from "./source-ending.ts";
import { gatherFacts } from "./source-facts.ts";
import { SourceGuard } from "./source-guard.ts";
import { sourceProcess } from "./source-watch.ts";
import { availableBytes, isMounted, mountStaging, removeStaging, stagedBytes } from "./staging.ts";
import { waitingCreates } from "./waiting-create.ts";

/** What CRIU needs beside the pages that it writes, and the kernel for the files that are being copied, bytes. It can reclaim the latter. */
const GROUP_SLACK_BYTES = 512 << 20;

export interface HostRuntimeOptions {
  host: Host;
  agentVersion: string;
  /** Folder (host path) that holds the `criu` to work with; undefined: the node's own, in its PATH. */
  criu: string | undefined;
  /** Address that the page server listens on. */
  nodeAddress: string;
  /** All moves' staging areas together, of the node's memory. */
  stagingBudget: Amount;
  /** Is the runtime handler in containerd's running configuration, and if not, why? */
  handler: () => Promise<{ installed: boolean; message?: string }>;
  /** Longest that a dump may take, milliseconds. */
  dumpMs: number;
  restore: RestoreLimits;
  warn: (message: string) => void;
}

const hexSchema = z
  .string()
  .regex(/^([0-9a-f]{2})+$/)
  .transform((hex) => Buffer.from(hex, "hex"));
/** In the move's folder (0700, in memory): where its pages are expected, for an agent that comes back. */
const receivingSchema = z.object({
  port: z.int(),
  sourceAddress: z.string(),
  stagingBytes: z.number(),
  emptyDirs: z.array(emptyDirSchema),
  totalBytes: z.number(),
  greeting: z.object({ sourceDigest: hexSchema, target: hexSchema }),
});
type Receiving = z.infer<typeof receivingSchema>;

export class HostRuntime implements NodeRuntime {
  readonly #options: HostRuntimeOptions;
  readonly #host: Host;
  readonly #listeners = new Map<string, PageListener>();
  readonly #guard: SourceGuard;
  readonly #files = new Map<string, FileApplying>();
  readonly #meters = new Map<string, RateMeter>();
  readonly #inspections = new Joined<SourceFacts>();
  #fixed: Promise<FixedFeatures> | undefined;

  constructor(options: HostRuntimeOptions) {
    this.#options = options;
    this.#host = options.criu === undefined ? options.host : withPrograms(options.host, options.criu);
    this.#guard = new SourceGuard(options.host, options.warn);
  }

  async features(): Promise<NodeFeatures> {
    const [fixed, handler] = await Promise.all([this.#probe(), this.#options.handler()]);
    const budget = this.#budget();
    return {
      ...fixed,
      agentVersion: this.#options.agentVersion,
      handlerInstalled: handler.installed,
      ...(handler.message === undefined ? {} : { handlerMessage: handler.message }),
      stagingBudgetBytes: budget,
      stagingFreeBytes: Math.max(0, Math.min(budget - stagedBytes(this.#host), availableBytes(this.#host))),
      filesFreeBytes: filesFreeBytes(this.#host),
    };
  }

  async inspect(source: Source): Promise<SourceFacts> {
    return await this.#inspections.join(source.containerID, () => gatherFacts(this.#host, source.containerID));
  }

  async register(command: RegisterCommand): Promise<void> {
    register(this.#host, command.moveUID, command.podUID, command.containerName);
  }

  createWaiting(moveUID: string): boolean {
    return waitingCreates(this.#host, moveUID).length > 0;
  }

  async receive(command: ReceiveCommand): Promise<{ address: string; pagePort: number }> {
    const { moveUID, stagingBytes, sourceAddress, token } = command;
    const move = targetMoveOf(moveUID);
    await mountStaging(this.#host, moveUID, stagingBytes, this.#budget());
    writeFileSync(this.#host.path(move.criuConfig), "leave-stopped\ntcp-close\nverbosity 2\n");
    const greeting = (port: number) => expected(greetingOf(token, moveUID, port));
    const { emptyDirs, totalBytes } = command;
    const wanted = { port: 0, sourceAddress, stagingBytes, emptyDirs, totalBytes };
    const port = await this.#listen(moveUID, wanted, greeting);
    return { address: this.#options.nodeAddress, pagePort: port };
  }

  async acceptFiles(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void> {
    if (part.part === "images") return await this.#acceptImages(moveUID, body, signal);
    this.#mustReceive(moveUID);
    const group = { host: this.#host, procs: makeMoveGroup(this.#host, moveUID, undefined) };
    await land(group, landedFile(moveUID, part, this.#emptyDirs(moveUID)), body);
    signal.throwIfAborted();
    const files = this.#filesOf(moveUID);
    if (files.landed()) files.giveAhead((error) => this.#options.warn(`move ${moveUID}: ${String(error)}`));
  }

  arrived(moveUID: string): Pick<MoveRecord, "images" | "progress"> {
    const known = this.#receiving(moveUID);
    const images = known === undefined ? "gone" : imagesOf(this.#host, moveUID, known.emptyDirs);
    if (images === "gone" || known === undefined) return { images };
    const sentBytes = arrivedBytes(this.#host, moveUID);
    const meter = this.#meters.get(moveUID) ?? new RateMeter();
    this.#meters.set(moveUID, meter);
    const bytesPerSecond = meter.rate(performance.now(), sentBytes);
    return { images, progress: { sentBytes, totalBytes: known.totalBytes, bytesPerSecond } };
  }

  async restore(command: RestoreCommand, signal: AbortSignal): Promise<Restored> {
    const { lazyPages } = await this.#probe();
    if (command.again) await forgetDeadCopy(this.#host, command, signal);
    noteTree(this.#host, command.moveUID, this.#options.criu);
    const giveFiles = async (container: string) => await this.#filesOf(command.moveUID).give(container);
    return await restore(this.#host, command, giveFiles, lazyPages, signal, this.#options.restore);
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
    this.#unlisten(command.moveUID);
    await this.#endFiles(command.moveUID);
    await abort(this.#host, command);
    await endMoveGroup(this.#host, command.moveUID);
    await removeLanded(this.#host, command.moveUID);
  }

  async cleanupTarget(command: Command & { podUID: string; released: boolean }): Promise<Cleaned> {
    const { moveUID } = command;
    const podUID = this.#podOf(command);
    this.#unlisten(moveUID);
    await this.#endFiles(moveUID);
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
    for (const source of moves.source) this.#guard.watch(source);
    await removeForgotten(this.#host, moves.target);
    for (const moveUID of moves.target) {
      endOrphans(this.#host, moveUID);
      const known = this.#receiving(moveUID);
      if (known === undefined || !isMounted(this.#host, targetMoveOf(moveUID).staging)) continue;
      await this.#listen(moveUID, known, () => known.greeting).catch((error: unknown) =>
        this.#options.warn(`move ${moveUID}: cannot listen for its pages again: ${String(error)}`),
      );
    }
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

  #budget(): number {
    const total = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync(this.#host.path("/proc/meminfo"), "utf8"))?.[1];
    return amountBytes(this.#options.stagingBudget, Number(total ?? 0) * 1024);
  }

  /** The port that a page server listens, or has listened, on. */
  async #listen(
    moveUID: string,
    wanted: Omit<Receiving, "greeting">,
    greeting: (port: number) => ExpectedGreeting,
  ): Promise<number> {
    const known = this.#receiving(moveUID);
    if (forgetFailedPageServer(this.#host, moveUID)) this.#unlisten(moveUID);
    const taken = this.#listeners.has(moveUID) || wasStarted(this.#host, pageServerOf(moveUID));
    if (known !== undefined && taken) return known.port;
    const { port, sourceAddress, stagingBytes, emptyDirs, totalBytes } = wanted;
    const groups = makeMoveGroup(this.#host, moveUID, Math.ceil(stagingBytes) + GROUP_SLACK_BYTES);
    const listening = { moveUID, address: this.#options.nodeAddress, groups, port, sourceAddress, greeting };
    const listener = await listenForPages(this.#host, listening, this.#options.warn);
    this.#listeners.set(moveUID, listener);
    const { sourceDigest, target } = greeting(listener.port);
    const words = { sourceDigest: sourceDigest.toString("hex"), target: target.toString("hex") };
    const content = { port: listener.port, sourceAddress, stagingBytes, emptyDirs, totalBytes, greeting: words };
    writeDurably(this.#host.path(targetMoveOf(moveUID).receiving), JSON.stringify(content));
    return listener.port;
  }

  #receiving(moveUID: string): Receiving | undefined {
    const text = readIfThere(this.#host.path(targetMoveOf(moveUID).receiving));
    if (text === undefined) return undefined;
    try {
      return receivingSchema.parse(JSON.parse(text));
    } catch (error) {
      this.#options.warn(`move ${moveUID}: what it receives cannot be read: ${String(error)}`);
      return undefined;
    }
  }

  #unlisten(moveUID: string): void {
    this.#listeners.get(moveUID)?.close();
    this.#listeners.delete(moveUID);
  }

  /** The images are the last to come: with them everything is there to serve the memory from. */
  async #acceptImages(moveUID: string, body: Readable, signal: AbortSignal): Promise<void> {
    const move = targetMoveOf(moveUID);
    this.#mustReceive(moveUID);
    // There is one dump a move: what is whole is not written again.
    if (existsSync(this.#host.path(move.imagesComplete))) return await finished(body.resume());
    mkdirSync(this.#host.path(move.images), { recursive: true });
    const groups = makeMoveGroup(this.#host, moveUID, undefined).map((group) => this.#host.path(group));
    await unbundleImages(this.#host.path(move.images), body, groups);
    const { restoreMs } = this.#options.restore;
    await pagesArrived(this.#host, moveUID, AbortSignal.any([signal, AbortSignal.timeout(restoreMs)]), restoreMs);
    signal.throwIfAborted();
    writeFileSync(this.#host.path(move.imagesComplete), "");
    if ((await this.#probe()).lazyPages) await startLazyPages(this.#host, moveUID);
  }

  /** An upload that outlives its move must not bring the move's folders back, outside of any staging area. */
  #mustReceive(moveUID: string): void {
    if (isMounted(this.#host, targetMoveOf(moveUID).staging)) return;
    throw new AgentError("WrongState", "this move is no longer received here");
  }

  /** Without them a copy would be restored with empty volumes: so it fails when they aren't known. */
  #emptyDirs(moveUID: string): EmptyDir[] {
    const known = this.#receiving(moveUID);
    if (known) return known.emptyDirs;
    throw new AgentError("RestoreFailed", "this node no longer knows which volumes this move brings");
  }

  #filesOf(moveUID: string): FileApplying {
    const files = this.#files.get(moveUID) ?? new FileApplying(this.#host, moveUID, this.#emptyDirs(moveUID));
    this.#files.set(moveUID, files);
    return files;
  }

  async #endFiles(moveUID: string): Promise<void> {
    const files = this.#files.get(moveUID);
    this.#files.delete(moveUID);
    this.#meters.delete(moveUID);
    await files?.end();
  }
}
