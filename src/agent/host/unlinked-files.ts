/**
 * Files that a container has deleted and still has open or mapped. CRIU puts them whole among its small images ("ghost files"), so they are
 * counted, each once, before anything is frozen.
 */
import { readdirSync, readlinkSync, type Stats, statfsSync, statSync } from "node:fs";
import type { SourceFacts } from "../protocol.ts";
import { isMissing, readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { RUN_DIRECTORY } from "./layout.ts";

type Obstacle = SourceFacts["obstacles"][number];

/** Of all of them together, bytes. CRIU's own limit, for one file, is set to the same. */
export const UNLINKED_LIMIT_BYTES = 256 << 20;
/** What /run keeps free beside them: containerd and runc need it. */
const RUN_SLACK_BYTES = 64 << 20;

/** Bytes of all unlinked files of these processes, each file once. */
export function unlinkedBytes(pids: readonly number[]): number {
  const files = new Map<string, number>();
  for (const { stats } of pids.flatMap(unlinkedOf)) {
    if (stats.nlink === 0) files.set(`${stats.dev}:${stats.ino}`, stats.size);
  }
  return [...files.values()].reduce((sum, size) => sum + size, 0);
}

export function unlinkedObstacles(host: Host, bytes: number): Obstacle[] {
  const tooMany = `the container has ${bytes} bytes in deleted files that it still has open`;
  if (bytes > UNLINKED_LIMIT_BYTES) {
    return [{ reason: "UnlinkedFiles", message: `${tooMany}, ${UNLINKED_LIMIT_BYTES} are possible` }];
  }
  const free = bytes > 0 ? freeBytes(host) : Number.POSITIVE_INFINITY;
  if (bytes + RUN_SLACK_BYTES <= free) return [];
  return [{ reason: "UnlinkedFiles", message: `${tooMany}, and ${RUN_DIRECTORY} on its node has ${free} bytes free` }];
}

function freeBytes(host: Host): number {
  const { bavail, bsize } = statfsSync(host.path("/run"));
  return bavail * bsize;
}

const unlinkedOf = (pid: number): Unlinked[] => [...openUnlinked(pid), ...mappedUnlinked(pid)];

/** A file that lives on by another name, or in the image: CRIU would have to give it a new name in the container's own files. */
export function lostNameObstacles(pid: number): Obstacle[] {
  const [file] = unlinkedOf(pid).filter(({ stats }) => stats.nlink > 0);
  if (file === undefined) return [];
  const name = file.path.replace(/ \(deleted\)$/, "");
  const message = `process ${pid} uses ${name}, which was deleted or replaced and still exists under another name: the pod can be moved after a restart`;
  return [{ reason: "NameLost", message }];
}

/** Shared memory by another name: CRIU dumps it with the memory. A deleted file on a tmpfs, as in /dev/shm, is a file like any other. */
const MEMORY = /^(\/memfd:|\/dev\/zero|\/SYSV|anon_inode:|\/\[aio\])/;

function isUnlinked(path: string): boolean {
  return path.endsWith(" (deleted)") && !MEMORY.test(path);
}

/** A file whose name is gone, as a process has it. */
interface Unlinked {
  path: string;
  stats: Stats;
}

function openUnlinked(pid: number): Unlinked[] {
  const folder = `/proc/${pid}/fd`;
  return quietly(() => readdirSync(folder), []).flatMap((name) => {
    const path = quietly(() => readlinkSync(`${folder}/${name}`), "");
    return isUnlinked(path) ? regularFile(path, `${folder}/${name}`) : [];
  });
}

/** A line of maps: range, permissions, offset, device, inode, path. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ +(.*)$/;

function mappedUnlinked(pid: number): Unlinked[] {
  const lines = quietly(() => readIfThere(`/proc/${pid}/maps`) ?? "", "").split("\n");
  return lines.flatMap((line) => {
    const [, from = "0", to = "0", path = ""] = MAPPING.exec(line) ?? [];
    if (!isUnlinked(path)) return [];
    const range = [from, to].map((address) => BigInt(`0x${address}`).toString(16)).join("-");
    return regularFile(path, `/proc/${pid}/map_files/${range}`);
  });
}

function regularFile(path: string, at: string): Unlinked[] {
  const stats = quietly(() => statSync(at, { throwIfNoEntry: false }), undefined);
  return stats?.isFile() ? [{ path, stats }] : [];
}

/** A process that ends, or a file that it closes, while we look. */
function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (isMissing(error)) return otherwise;
    throw error;
  }
}
