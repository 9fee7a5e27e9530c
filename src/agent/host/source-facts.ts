/** What only the node knows of a container that may be moved: how much there is to move, and what cannot be. */
import { opendirSync, readFileSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { AgentError } from "../agent-error.ts";
import type { SourceFacts } from "../protocol.ts";
import { kindsOfProcess } from "../self-test/kinds.ts";
import { endMoveGroup, makeMoveGroup } from "./cgroups.ts";
import { confinementOf } from "./confinement.ts";
import { type Container, emptyDirsOf, pidsOf, runningContainer, upperDirectoryOf } from "./containers.ts";
import { readIfThere } from "./files.ts";
import { type Group, runGrouped } from "./grouped.ts";
import type { Host } from "./host.ts";
import { mountObstacles } from "./mount-obstacles.ts";
import { descriptorsOf, processObstacles } from "./process-obstacles.ts";
import { threadsOf } from "./processes.ts";
import { socketObstacles } from "./sockets.ts";
import { sqliteObstacles } from "./sqlite-files.ts";
import { type Connection, connectionName, connectionsIn, connectionsThatLeave, isInner } from "./tcp-table.ts";
import { lostNameObstacles, unlinkedBytes, unlinkedObstacles } from "./unlinked-files.ts";
import { watchedPaths, watchObstacle } from "./watches.ts";

type Obstacle = SourceFacts["obstacles"][number];

const bundleSchema = z.object({ process: z.object({ terminal: z.boolean().optional() }).optional() });

export async function gatherFacts(host: Host, containerID: string): Promise<SourceFacts> {
  let container: Container;
  try {
    container = runningContainer(host, containerID);
  } catch (error) {
    if (error instanceof AgentError && error.reason === "SourceGone") return nothingThere();
    throw error;
  }
  const pids = pidsOf(host, container);
  const unlinked = unlinkedBytes(pids);
  const folders = sentFolders(container);
  const unreadable = folders.flatMap((folder) => folderObstacle(host, folder));
  const [files, sockets, watches] = await inMeasuringGroup(host, container, (group) =>
    Promise.all([
      filesBytesOf(group, unreadable.length > 0 ? [] : folders),
      socketObstacles(group, pids),
      watchedPaths(group, container, pids),
    ]),
  );
  const copies = copiedBytes(host, container, pids);
  const connections = await lastingConnections(host, container);
  const staged = unlinked + connections.queuedBytes + copies; // among CRIU's images
  return {
    running: true,
    memoryBytes: dumpedBytes(host, container, files.memoryFilesBytes),
    filesBytes: files.filesBytes + staged,
    memoryFilesBytes: files.memoryFilesBytes + staged,
    processes: pids.length,
    threads: pids.reduce((sum, pid) => sum + threadsOf(pid).length, 0),
    kinds: kindsOfProcess(container.pid),
    confinedBy: confinementOf(container.pid),
    establishedTcp: connections.leaving.map(connectionName).slice(0, 20),
    innerConnections: connections.within,
    obstacles: [
      ...terminalObstacle(host, container),
      ...layerObstacle(container),
      ...unreadable,
      ...mountObstacles(host, container),
      ...unlinkedObstacles(host, unlinked),
      ...pids.flatMap(lostNameObstacles),
      ...sqliteObstacles(pids),
      ...pids.flatMap((pid) => processObstacles(pid, container.pid)),
      ...sockets,
      ...watchObstacle(watches),
    ].slice(0, 20),
  };
}

function nothingThere(): SourceFacts {
  const nothing = { memoryBytes: 0, filesBytes: 0, memoryFilesBytes: 0, processes: 0, threads: 0 };
  return { running: false, ...nothing, kinds: [], establishedTcp: [], innerConnections: 0, obstacles: [] };
}

export interface ContainerConnections {
  /** TCP connections that a move would close. */
  leaving: Connection[];
  /** How many go on with the container. */
  within: number;
  /** Bytes that wait in all of them. */
  queuedBytes: number;
}

/** Connected TCP sockets of the container's network namespace. */
export function connectionsOf(host: Host, container: Container): ContainerConnections {
  const tables = ["tcp", "tcp6"].map((name) => readIfThere(`/proc/${container.pid}/net/${name}`) ?? "");
  const all = tables.flatMap(connectionsIn);
  const leaving = all.length === 0 ? [] : connectionsThatLeave(all, socketsOf(pidsOf(host, container)));
  const queuedBytes = all.reduce((sum, connection) => sum + connection.queuedBytes, 0);
  return { leaving, within: all.length - leaving.length, queuedBytes };
}

/** Between two looks at connections. */
const LOOK_AGAIN_MS = 30;
const LOOKS = 3;

/** As connectionsOf, without connections within the pod that are just being begun or ended: they are not there any more at the last look. */
export async function lastingConnections(host: Host, container: Container): Promise<ContainerConnections> {
  let connections = connectionsOf(host, container);
  for (let look = 1; look < LOOKS && connections.leaving.some(isInner); look++) {
    const before = new Set(connections.leaving.map(connectionName));
    await sleep(LOOK_AGAIN_MS);
    const now = connectionsOf(host, container);
    connections = { ...now, leaving: now.leaving.filter((one) => !isInner(one) || before.has(connectionName(one))) };
  }
  return connections;
}

/** Inodes of the sockets that these processes hold. Others may share their network: a port that is forwarded, say. */
function socketsOf(pids: readonly number[]): Set<string> {
  const links = pids.flatMap(descriptorsOf);
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** Anonymous and shared memory of the container's group, bytes. */
export function memoryOf(host: Host, container: Container): number {
  const { anonymous, shared } = memoryStatOf(host, container, memoryGroupOf(container));
  return anonymous + shared;
}

/**
 * As memoryOf, without the files of memory-backed emptyDirs. They are shared memory of whichever of the pod's groups wrote them: the
 * container's own, or after a move the pod's.
 */
function dumpedBytes(host: Host, container: Container, memoryFilesBytes: number): number {
  if (memoryFilesBytes === 0) return memoryOf(host, container);
  const { anonymous } = memoryStatOf(host, container, memoryGroupOf(container));
  const { shared } = memoryStatOf(host, container, dirname(memoryGroupOf(container)));
  return anonymous + Math.max(0, shared - memoryFilesBytes);
}

/** What a dump holds more than once: processes that share memory since a fork have a copy each in it. */
function copiedBytes(host: Host, container: Container, pids: readonly number[]): number {
  if (pids.length < 2) return 0;
  const { anonymous } = memoryStatOf(host, container, memoryGroupOf(container));
  const own = pids.map((pid) => /^Anonymous:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/smaps_rollup`) ?? "")?.[1]);
  return Math.max(0, own.reduce((sum, kilobytes) => sum + Number(kilobytes ?? 0) * 1024, 0) - anonymous);
}

function memoryGroupOf(container: Container): string {
  return container.freezer.version === 2 ? container.group : container.memoryGroup;
}

function memoryStatOf(host: Host, container: Container, group: string): { anonymous: number; shared: number } {
  const lines = readFileSync(host.path(join(group, "memory.stat")), "utf8").split("\n");
  const stats = new Map(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
  const unified = container.freezer.version === 2;
  return {
    anonymous: stats.get(unified ? "anon" : "total_rss") ?? 0,
    shared: stats.get(unified ? "shmem" : "total_shmem") ?? 0,
  };
}

/** Host paths of what a move sends: the writable layer and the emptyDirs. */
function sentFolders(container: Container): string[] {
  const upper = upperDirectoryOf(container.rootfs);
  return [...(upper ? [upper] : []), ...emptyDirsOf(container.mounts).values()];
}

/** Else it would be found out only when the container is frozen. */
export function folderObstacle(host: Host, folder: string): Obstacle[] {
  try {
    opendirSync(host.path(folder)).closeSync();
    return [];
  } catch (error) {
    const message = `the container's files in ${folder} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return [{ reason: "FilesUnreadable", message }];
  }
}

/** What the kernel remembers of the files is not the agent's memory, and not much. */
const MEASURING_BYTES = 64 << 20;

async function inMeasuringGroup<T>(host: Host, { id }: Container, look: (group: Group) => Promise<T>): Promise<T> {
  const name = `measuring-${id}`;
  try {
    return await look({ host, procs: makeMoveGroup(host, name, MEASURING_BYTES) });
  } finally {
    await endMoveGroup(host, name);
  }
}

async function filesBytesOf(
  group: Group,
  paths: readonly string[],
): Promise<Pick<SourceFacts, "filesBytes" | "memoryFilesBytes">> {
  const folders = paths.map((path) => group.host.path(path));
  const inMemory = folders.filter((folder) => statfsSync(folder).type === TMPFS);
  const onDisk = folders.filter((folder) => !inMemory.includes(folder));
  const [diskBytes, memoryFilesBytes] = await Promise.all([diskUsage(group, onDisk), diskUsage(group, inMemory)]);
  return { filesBytes: diskBytes + memoryFilesBytes, memoryFilesBytes };
}

/** What `statfs` calls a tmpfs. */
const TMPFS = 0x01021994;

/** The pod runs: a file that vanishes meanwhile is no failure. More files than can be listed in a minute cannot be moved either. */
const MEASURE = 'timeout -k 5 60 du -skc -- "$@" 2>/dev/null; true';

/** Of all folders, bytes. */
async function diskUsage(group: Group, folders: readonly string[]): Promise<number> {
  if (folders.length === 0) return 0;
  const printed = await runGrouped(group, ["/bin/sh", "-c", MEASURE, "headroom-du", ...folders]);
  const total = /^(\d+)\ttotal$/m.exec(printed)?.[1];
  if (total === undefined)
    throw new Error("the container's files could not be measured within a minute: are there too many?");
  return Number(total) * 1024;
}

function terminalObstacle(host: Host, container: Container): Obstacle[] {
  const text = readIfThere(host.path(join(container.rootfs, "..", "config.json")));
  if (!text || !bundleSchema.parse(JSON.parse(text)).process?.terminal) return [];
  return [{ reason: "Terminal", message: "the container has a terminal (tty: true)" }];
}

function layerObstacle(container: Container): Obstacle[] {
  if (upperDirectoryOf(container.rootfs)) return [];
  return [
    {
      reason: "WritableLayer",
      message: "the container's root file system is not an overlay: its writable layer cannot be read",
    },
  ];
}
