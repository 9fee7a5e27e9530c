/** A move's arrival on its target: where its pages, images and files are expected, what has come, and that an agent which comes back goes on with it. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { AgentError } from "../agent-error.ts";
import { writeDurably } from "../move-records.ts";
import type { FilePart, ReceiveCommand } from "../node-runtime.ts";
import { type EmptyDir, emptyDirSchema, type MoveRecord } from "../protocol.ts";
import { arrivedBytes, imagesOf, RateMeter } from "./arrival.ts";
import { makeMoveGroup } from "./cgroups.ts";
import { wasStarted } from "./detached.ts";
import { endOrphans, FileApplying } from "./file-applying.ts";
import { readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { unbundleImages } from "./image-bundle.ts";
import { land, landedFile } from "./landing.ts";
import { targetMoveOf } from "./layout.ts";
import { type ExpectedGreeting, expected, greetingOf } from "./page-greeting.ts";
import { forgetFailedPageServer, listenForPages, type PageListener, pageServerOf } from "./page-server.ts";
import { pagesArrived, startLazyPages } from "./restore.ts";
import { isMounted, mountStaging } from "./staging.ts";

/** What CRIU needs beside the pages that it writes, and the kernel for the files that are being copied, bytes. It can reclaim the latter. */
const GROUP_SLACK_BYTES = 512 << 20;

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

export interface ReceptionOptions {
  host: Host;
  /** Address that the page server listens on. */
  nodeAddress: string;
  /** Longest that the last pages may take once everything else is there, milliseconds. */
  restoreMs: number;
  /** Is memory filled while the restored container runs? Asked when the images are there. */
  lazyPages: (moveUID: string) => Promise<boolean>;
  warn: (message: string) => void;
}

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #host: Host;
  readonly #listeners = new Map<string, PageListener>();
  readonly #files = new Map<string, FileApplying>();
  readonly #meters = new Map<string, RateMeter>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#host = options.host;
  }

  async receive(command: ReceiveCommand, budgetBytes: number): Promise<{ address: string; pagePort: number }> {
    const { moveUID, stagingBytes, sourceAddress, token } = command;
    await mountStaging(this.#host, moveUID, stagingBytes, budgetBytes);
    const greeting = (port: number) => expected(greetingOf(token, moveUID, port));
    const { emptyDirs, totalBytes } = command;
    const wanted = { port: 0, sourceAddress, stagingBytes, emptyDirs, totalBytes };
    const port = await this.#listen(moveUID, wanted, greeting);
    return { address: this.#options.nodeAddress, pagePort: port };
  }

  async accept(moveUID: string, part: FilePart, body: Readable, signal: AbortSignal): Promise<void> {
    if (part.part === "images") return await this.#acceptImages(moveUID, body, signal);
    this.#mustReceive(moveUID);
    const group = { host: this.#host, procs: makeMoveGroup(this.#host, moveUID, undefined) };
    await land(group, landedFile(moveUID, part, this.#emptyDirs(moveUID)), body);
    signal.throwIfAborted();
    const files = this.filesOf(moveUID);
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

  /** After a restart of the agent: ends what the one before has left copying, and listens again, on the same port, for pages that have not begun to come. */
  async resume(moveUID: string): Promise<void> {
    endOrphans(this.#host, moveUID);
    const known = this.#receiving(moveUID);
    if (known === undefined || !isMounted(this.#host, targetMoveOf(moveUID).staging)) return;
    await this.#listen(moveUID, known, () => known.greeting).catch((error: unknown) =>
      this.#options.warn(`move ${moveUID}: cannot listen for its pages again: ${String(error)}`),
    );
  }

  /** Resolves when nothing is taken or copied for it any more. */
  async end(moveUID: string): Promise<void> {
    this.#unlisten(moveUID);
    const files = this.#files.get(moveUID);
    this.#files.delete(moveUID);
    this.#meters.delete(moveUID);
    await files?.end();
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
    const { restoreMs } = this.#options;
    await pagesArrived(this.#host, moveUID, AbortSignal.any([signal, AbortSignal.timeout(restoreMs)]), restoreMs);
    signal.throwIfAborted();
    writeFileSync(this.#host.path(move.imagesComplete), "");
    if (await this.#options.lazyPages(moveUID)) await startLazyPages(this.#host, moveUID);
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

  filesOf(moveUID: string): FileApplying {
    const files = this.#files.get(moveUID) ?? new FileApplying(this.#host, moveUID, this.#emptyDirs(moveUID));
    this.#files.set(moveUID, files);
    return files;
  }
}
