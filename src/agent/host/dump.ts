/**
 * The source's step: freeze, dump the pages straight to the target's page server, send the files and the small images.
 * Whatever can be is done before the freeze; inside it, CRIU and the files work side by side. The container stays frozen.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../agent-error.ts";
import { FILES, tcpStreamOf } from "../criu-images/definitions.ts";
import { readImage } from "../criu-images/image-file.ts";
import { ImageError } from "../criu-images/message.ts";
import { connectionsThatLeave, connectionsWithin } from "../criu-images/sockets.ts";
import { isWorthMeasuring, linkRefusal } from "../link.ts";
import type { DumpCommand, Peer } from "../node-runtime.ts";
import { type Dumped, dumpedSchema } from "../protocol.ts";
import { noteAffinity } from "./affinity.ts";
import { freeze, isFrozen, makeMoveGroup, thaw } from "./cgroups.ts";
import { type Container, emptyDirsOf, pidsOf, runningContainer, upperDirectoryOf } from "./containers.ts";
import { errorsIn, namesAKind } from "./criu-log.ts";
import { pagesWritten } from "./criu-stats.ts";
import { joinedGroups, outputOf, startDetached, waitForExit, wasStarted } from "./detached.ts";
import { type ContainerFiles, sendFailed, sendFiles } from "./file-sending.ts";
import { entriesOf, readIfThere } from "./files.ts";
import { type Host, runtimeOf } from "./host.ts";
import { bundleImages } from "./image-bundle.ts";
import { sourceMoveOf } from "./layout.ts";
import { connectPages, type PageConnection } from "./page-connection.ts";
import { greetingOf } from "./page-greeting.ts";
import { isStoppedBySignal, waitsForChild } from "./processes.ts";
import { connectionsOf, lastingConnections, memoryOf } from "./source-facts.ts";
import { frozenSchema, noteFreeze } from "./source-watch.ts";
import { connectionName, isInner } from "./tcp-table.ts";
import { UNLINKED_LIMIT_BYTES, unlinkedBytes, unlinkedObstacles } from "./unlinked-files.ts";
import { watchedPaths, watchObstacle } from "./watches.ts";

const PAGE_BYTES = 4096;
const CONNECT_TIMEOUT_MS = 5_000;
/** A program that was started has joined its groups within this time. */
const JOIN_MS = 2_000;

export interface DumpLimits {
  /** Longest time that CRIU may take, milliseconds, unless the controller allows more. */
  dumpMs: number;
}

export async function dump(
  host: Host,
  command: DumpCommand,
  peer: Peer,
  signal: AbortSignal,
  limits: DumpLimits,
): Promise<Dumped> {
  const move = sourceMoveOf(command.moveUID);
  const done = readIfThere(host.path(move.dumped));
  if (done !== undefined) return dumpedSchema.parse(JSON.parse(done));
  const container = runningContainer(host, command.source.containerID);
  const files = filesOf(container, command.emptyDirs); // what cannot be sent is found out before the freeze
  const timings: Record<string, number> = {};
  const frozenAtMs = wasStarted(host, programOf(command))
    ? frozenBefore(host, command)
    : await freezeAndStart(host, command, container, peer, timings, signal);
  const { result, close, shutDown, linkBytesPerSecond } = frozenAtMs;
  try {
    const so = { frozenAtMs: result, linkBytesPerSecond, timings, files };
    const finished = finish(host, command, container, peer, signal, limits, so);
    return await Promise.race([finished, givenUp(signal)]);
  } catch (error) {
    // The step that has ended this one ends the move's group next, and must find the checkpoint in there.
    if (signal.aborted) {
      shutDown();
      await joinedGroups(host, programOf(command), JOIN_MS);
    }
    throw error;
  } finally {
    close();
  }
}

/** Rejects when the step is given up, whatever it waits for then. */
function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const reason = new AgentError("DumpFailed", "the dump was given up");
    if (signal.aborted) reject(reason);
    signal.addEventListener("abort", () => reject(reason), { once: true });
  });
}

/** Name of the detached `runc checkpoint`. */
function programOf(command: DumpCommand): string {
  return sourceMoveOf(command.moveUID).program;
}

/** A dump that goes on: since when, over what link, and the means to let go of its page connection. */
interface Begun {
  result: number;
  linkBytesPerSecond: number | undefined;
  close: () => void;
  shutDown: () => void;
}

/** An agent before this one froze the container and started CRIU, which holds the connection itself. */
function frozenBefore(host: Host, command: DumpCommand): Begun {
  const text = readFileSync(host.path(sourceMoveOf(command.moveUID).frozen), "utf8");
  const { frozenAtMs } = frozenSchema.parse(JSON.parse(text));
  const nothing = () => undefined;
  return { result: frozenAtMs, linkBytesPerSecond: undefined, close: nothing, shutDown: nothing };
}

async function freezeAndStart(
  host: Host,
  command: DumpCommand,
  container: Container,
  peer: Peer,
  timings: Record<string, number>,
  signal: AbortSignal,
): Promise<Begun> {
  await refuse(host, command, container);
  const { groups, watched } = await prepareFolder(host, command, container);
  const pages = await connect(command, peer);
  try {
    const linkBytesPerSecond = await measured(host, command, container, peer, signal);
    if (linkBytesPerSecond !== undefined) await refuse(host, command, container); // that took its time
    signal.throwIfAborted(); // whoever gave the step up may have thawed the container already
    const frozenAtMs = await frozenInPeace(host, command, container, signal);
    signal.throwIfAborted();
    timings.pause = Date.now() - frozenAtMs;
    writeConfig(host, command, container, watched);
    await startCheckpoint(host, command, container, groups, pages);
    return { result: frozenAtMs, linkBytesPerSecond, close: pages.close, shutDown: pages.shutDown };
  } catch (error) {
    pages.close();
    throw error;
  }
}

/** Freezes that came at a bad moment. */
const MOST_FREEZES = 30;
/** At most, between two of them. */
const BETWEEN_FREEZES_MS = 20;

/**
 * Freezes the container, unless it is frozen already, at a moment when it can be dumped: when no connection between its own processes is just being begun
 * or ended, and no process waits for a child that it has just begun. Resolves with since when. Rejects with `DumpFailed` when there is always such a process. Where
 * there is always such a connection, it is refused, or closed, with the others.
 */
async function frozenInPeace(
  host: Host,
  command: DumpCommand,
  container: Container,
  signal: AbortSignal,
): Promise<number> {
  const { freezer } = container;
  if (isFrozen(host, freezer)) return noteFreeze(host, command.moveUID, container);
  for (let count = 1; ; count++) {
    const frozenAtMs = noteFreeze(host, command.moveUID, container);
    await freeze(host, freezer, signal);
    const waiting = pidsOf(host, container).find(waitsForChild);
    const isLast = count === MOST_FREEZES;
    if (waiting === undefined && (isLast || !connectionsOf(host, container).leaving.some(isInner))) return frozenAtMs;
    thaw(host, freezer);
    if (isLast) throw new AgentError("DumpFailed", `process ${waiting} waits for a child that it has begun by vfork`);
    await sleep(Math.random() * BETWEEN_FREEZES_MS);
    signal.throwIfAborted();
  }
}

/** What cannot be dumped is refused before it is frozen. */
async function refuse(host: Host, command: DumpCommand, container: Container): Promise<void> {
  const leaving = command.tcp === "Refuse" ? (await lastingConnections(host, container)).leaving : [];
  refuseConnections(command, leaving.map(connectionName));
  refuseStopped(pidsOf(host, container));
  refuseUnlinked(host, container);
}

/** The link's rate where it matters; rejects with `LinkTooSlow`. A container that is frozen already has nothing to lose. */
async function measured(
  host: Host,
  { limits }: DumpCommand,
  container: Container,
  peer: Peer,
  signal: AbortSignal,
): Promise<number | undefined> {
  const bytes = memoryOf(host, container) + limits.filesBytes;
  if (isFrozen(host, container.freezer) || !isWorthMeasuring(limits, bytes)) return undefined;
  const link = await peer.measure(signal).catch((cause: unknown) => {
    throw sendFailed(`the link to the target could not be measured: ${String(cause)}`, cause);
  });
  const refusal = linkRefusal(limits, bytes, link);
  if (refusal) throw refusal;
  return Math.round(link.bytesPerSecond);
}

function refuseConnections({ tcp }: DumpCommand, connections: readonly string[]): void {
  if (tcp === "Close" || connections.length === 0) return;
  throw new AgentError(
    "DumpFailed",
    `the container has established TCP connections: ${connections.slice(0, 3).join(", ")}`,
  );
}

/** CRIU would wait for it for ever, with the container frozen; and the release would wake it. */
function refuseStopped(pids: readonly number[]): void {
  const stopped = pids.find(isStoppedBySignal);
  if (stopped !== undefined) throw new AgentError("DumpFailed", `process ${stopped} was stopped by a signal`);
}

/** What was there at preflight may have grown. */
function refuseUnlinked(host: Host, container: Container): void {
  const [obstacle] = unlinkedObstacles(host, unlinkedBytes(pidsOf(host, container)));
  if (obstacle) throw new AgentError("DumpFailed", obstacle.message);
}

interface Prepared {
  /** cgroup.procs files of the move's group. */
  groups: string[];
  /** Paths that the container watches. */
  watched: readonly string[];
}

async function prepareFolder(host: Host, command: DumpCommand, container: Container): Promise<Prepared> {
  const move = sourceMoveOf(command.moveUID);
  mkdirSync(host.path(move.directory), { recursive: true, mode: 0o700 });
  for (const folder of [move.images, move.work]) mkdirSync(host.path(folder), { recursive: true, mode: 0o700 });
  const groups = makeMoveGroup(host, command.moveUID, undefined);
  const watches = await watchedPaths({ host, procs: groups }, container, pidsOf(host, container));
  const [obstacle] = watchObstacle(watches);
  if (obstacle) throw new AgentError("DumpFailed", obstacle.message);
  return { groups, watched: watches.paths };
}

/** By the connections that the container has now that it is frozen. */
function writeConfig(host: Host, command: DumpCommand, container: Container, watched: readonly string[]): void {
  const keeps = connectionsOf(host, container).within > 0;
  writeFileSync(host.path(sourceMoveOf(command.moveUID).criuConfig), criuConfig(command, watched, keeps));
}

/**
 * The container's tasks are frozen, so nothing has to be kept from its network while it is dumped. Connections that it has not accepted
 * yet, such as a probe's during the freeze, don't stop the dump: the copy never sees them.
 */
function criuConfig({ tcp }: DumpCommand, watched: readonly string[], keeps: boolean): string {
  const close = tcp === "Close" && !keeps ? ["tcp-close"] : [];
  const fixed = ["ps-socket 9", "network-lock skip", "skip-in-flight", "verbosity 2"];
  return `${[...fixed, `ghost-limit ${UNLINKED_LIMIT_BYTES}`, ...close, ...watched.map((path) => `irmap-scan-path ${path}`)].join("\n")}\n`;
}

async function connect(command: DumpCommand, peer: Peer): Promise<PageConnection> {
  const { address, pagePort, token } = command.peer;
  const greeting = greetingOf(token, command.moveUID, pagePort);
  const pages = connectPages({ address, port: pagePort, greeting }, CONNECT_TIMEOUT_MS);
  try {
    const [connection] = await Promise.all([pages, peer.open()]);
    return connection;
  } catch (cause) {
    pages.then((connection) => connection.close()).catch(() => undefined);
    const said = cause instanceof Error ? cause.message : String(cause);
    throw sendFailed(`the target at ${address} (pages: port ${pagePort}) cannot be reached: ${said}`, cause);
  }
}

async function startCheckpoint(
  host: Host,
  command: DumpCommand,
  container: Container,
  groups: string[],
  pages: PageConnection,
): Promise<void> {
  const move = sourceMoveOf(command.moveUID);
  const pageServer = `${command.peer.address}:${command.peer.pagePort}`;
  const options = ["--leave-running", "--file-locks", "--tcp-established", "--page-server", pageServer];
  const folders = ["--image-path", move.images, "--work-path", move.work];
  const { runc, runcRoot } = runtimeOf(host);
  await startDetached(host, {
    name: programOf(command),
    argv: [runc, "--root", runcRoot, "checkpoint", ...options, ...folders, container.id],
    groups,
    env: { CRIU_CONFIG_FILE: move.criuConfig },
    socket: pages.socket,
  });
}

async function finish(
  host: Host,
  command: DumpCommand,
  container: Container,
  peer: Peer,
  signal: AbortSignal,
  limits: DumpLimits,
  so: {
    frozenAtMs: number;
    linkBytesPerSecond: number | undefined;
    timings: Record<string, number>;
    files: ContainerFiles;
  },
): Promise<Dumped> {
  const { frozenAtMs, linkBytesPerSecond, timings, files } = so;
  const startedAt = Date.now();
  const since = (name: string) => () => {
    timings[name] = Date.now() - startedAt;
  };
  const memoryBytes = memoryOf(host, container);
  const [, fileBytes] = await Promise.all([
    checkpointEnded(host, command, signal, limits).finally(since("dump")),
    sendFiles({ host, procs: makeMoveGroup(host, command.moveUID, undefined) }, files, peer, signal).finally(
      since("files"),
    ),
  ]);
  const folder = host.path(sourceMoveOf(command.moveUID).images);
  dropClosed(command, folder);
  noteAffinity(host, container, folder);
  const images = bundleImages(folder);
  await sendImages(peer, images.body, signal);
  timings.send = Date.now() - startedAt - Math.max(timings.dump ?? 0, timings.files ?? 0);
  const pageBytes = pageBytesOf(host, command) ?? memoryBytes;
  const dumped = {
    frozenAtMs,
    memoryBytes: pageBytes,
    transferredBytes: pageBytes + fileBytes + images.bytes,
    timings,
    ...(linkBytesPerSecond === undefined ? {} : { linkBytesPerSecond }),
  };
  writeFileSync(host.path(sourceMoveOf(command.moveUID).dumped), JSON.stringify(dumped));
  return dumped;
}

/** A connection that was accepted since the last look is refused. What is queued in those that will be closed is not sent. */
function dropClosed(command: DumpCommand, folder: string): void {
  const streams = entriesOf(folder).filter((name) => name.startsWith("tcp-stream-"));
  if (streams.length === 0) return; // no connection, or none that goes on
  try {
    const files = readImage(folder, FILES);
    refuseConnections(command, connectionsThatLeave(files));
    const kept = new Set([...connectionsWithin(files)].map((ino) => tcpStreamOf(ino).name));
    for (const name of streams) if (!kept.has(name)) rmSync(join(folder, name));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new AgentError("DumpFailed", `CRIU's images are not understood: ${error.message}`, { cause: error });
  }
}

async function checkpointEnded(
  host: Host,
  command: DumpCommand,
  signal: AbortSignal,
  limits: DumpLimits,
): Promise<void> {
  const code = await waitForExit(host, programOf(command), {
    signal,
    ms: Math.max(limits.dumpMs, command.limits.allowedMs), // the controller ends what is too long or stands still
  });
  if (code === 0) return;
  const log = readIfThere(host.path(join(sourceMoveOf(command.moveUID).work, "dump.log")));
  const why = errorsIn(log) || outputOf(host, programOf(command)) || `exit code ${code}`;
  const reason = namesAKind(log) ? "NotCarried" : "DumpFailed";
  throw new AgentError(reason, `CRIU could not dump the container: ${why}`);
}

async function sendImages(peer: Peer, images: Readable, signal: AbortSignal): Promise<void> {
  try {
    await peer.put({ part: "images" }, images, signal);
  } catch (cause) {
    throw sendFailed(`the target did not take the images: ${String(cause)}`, cause);
  }
}

function pageBytesOf(host: Host, command: DumpCommand): number | undefined {
  const pages = pagesWritten(readFileSync(host.path(join(sourceMoveOf(command.moveUID).work, "stats-dump"))));
  return pages === undefined ? undefined : pages * PAGE_BYTES;
}

export function filesOf(
  container: Pick<Container, "rootfs" | "mounts">,
  wanted: readonly string[],
  mountinfo?: string,
): ContainerFiles {
  const upper = upperDirectoryOf(container.rootfs, mountinfo);
  if (!upper) throw new AgentError("DumpFailed", "the container's root file system is not an overlay");
  const all = emptyDirsOf(container.mounts);
  const emptyDirs = wanted.map((name) => {
    const directory = all.get(name);
    if (!directory) throw new AgentError("DumpFailed", `the container does not mount an emptyDir ${name}`);
    return { name, directory };
  });
  return { upper, merged: container.rootfs, emptyDirs };
}
