/**
 * Files and folders of the container's root file system that its processes watch (inotify). The kernel tells them by inode, and an overlay's inodes cannot be opened by CRIU: it
 * looks for them by name in a few well-known folders, and at the paths that `irmap-scan-path` names. So the agent finds their names before the freeze.
 */
import { readFileSync, statSync } from "node:fs";
import type { SourceFacts } from "../protocol.ts";
import type { Container } from "./containers.ts";
import { entriesOf, isMissing, linkOf } from "./files.ts";
import { type Group, runGrouped } from "./grouped.ts";

/** The container runs: a file that vanishes meanwhile is no failure. */
const SEARCH =
  'timeout -k 5 20 find "$@" 2>/dev/null; [ $? != 124 ] || { echo "its watched files could not be found within 20 s" >&2; exit 1; }';

export interface Watches {
  /** In the container, files before folders. */
  paths: string[];
  /** Inodes that have no name there, or none that CRIU's configuration can hold. */
  lost: number;
}

export async function watchedPaths(group: Group, { rootfs }: Container, pids: readonly number[]): Promise<Watches> {
  const watched = new Set(
    pids
      .flatMap(watchesOf)
      .flatMap(({ inode, device }) => (device === deviceOf(group.host.path(rootfs)) ? [inode] : [])),
  );
  if (watched.size === 0) return { paths: [], lost: 0 };
  const found = await namesOf(group, rootfs, [...watched]);
  const usable = found.filter(({ path }) => !/[\s#"'\\]/.test(path));
  const named = new Set(usable.map(({ inode }) => inode));
  const sorted = usable.sort((a, b) => Number(a.isFolder) - Number(b.isFolder) || b.path.length - a.path.length);
  return { paths: sorted.map(({ path }) => path), lost: [...watched].filter((inode) => !named.has(inode)).length };
}

export function watchObstacle({ lost }: Watches): SourceFacts["obstacles"] {
  if (lost === 0) return [];
  return [{ reason: "WatchLost", message: `its processes watch (inotify) ${lost} files that have no name any more` }];
}

interface Watch {
  inode: number;
  device: number;
}

function watchesOf(pid: number): Watch[] {
  const inotify = entriesOf(`/proc/${pid}/fd`).filter(
    (name) => linkOf(`/proc/${pid}/fd/${name}`) === "anon_inode:inotify",
  );
  return inotify.flatMap((name) => watchesIn(infoOf(`/proc/${pid}/fdinfo/${name}`)));
}

/** Out of a descriptor's fdinfo: `inotify wd:1 ino:2a1 sdev:800013 mask:fce …`. Pure. */
export function watchesIn(info: string): Watch[] {
  const lines = [...info.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+) /gm)];
  return lines.map(([, inode = "", device = ""]) => ({
    inode: Number.parseInt(inode, 16),
    device: Number.parseInt(device, 16),
  }));
}

function infoOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return ""; // closed meanwhile
    throw error;
  }
}

/** As the kernel numbers devices inside: twenty bits for the minor number. */
function deviceOf(path: string): number {
  const { dev } = statSync(path);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  return (major << 20) | minor;
}

async function namesOf(
  group: Group,
  rootfs: string,
  inodes: readonly number[],
): Promise<{ inode: number; path: string; isFolder: boolean }[]> {
  const wanted = inodes.flatMap((inode, index) => [...(index > 0 ? ["-o"] : []), "-inum", String(inode)]);
  const search = [group.host.path(rootfs), "-xdev", "(", ...wanted, ")", "-printf", "%i %y /%P\\0"];
  const printed = await runGrouped(group, ["/bin/sh", "-c", SEARCH, "headroom-find", ...search]);
  const lines = printed.split("\0").filter((line) => line !== "");
  return lines.map((line) => {
    const [inode = "", type = "", ...path] = line.split(" ");
    return { inode: Number(inode), path: path.join(" "), isFolder: type === "d" };
  });
}
