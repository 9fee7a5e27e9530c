/**
 * The cgroups (version 1) that hold every process of an instance: what was started is found and ended by its cgroup, never
 * by a name or by a process id that may since belong to somebody else.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { waitFor } from "./wait.ts";

/** Mount points of the version 1 hierarchies, e.g. /sys/fs/cgroup/memory. */
export function hierarchies(): string[] {
  const mounts = readFileSync("/proc/mounts", "utf8").trimEnd().split("\n");
  return mounts.flatMap((line) => {
    const [, path, type] = line.split(" ");
    return type === "cgroup" && path ? [path] : [];
  });
}

export function hierarchyOf(controller: string): string {
  const found = hierarchies().find((path) => basename(path).split(",").includes(controller));
  if (!found) throw new Error(`this machine has no cgroup v1 hierarchy for ${controller}`);
  return found;
}

/** Makes a cgroup in every hierarchy; with a memory limit when one is given. Parents are made as well. */
export async function createCgroup(path: string, memoryBytes?: number): Promise<void> {
  for (const root of hierarchies()) await mkdir(join(root, path), { recursive: true });
  await inheritCpuset(path);
  if (memoryBytes !== undefined) {
    await writeFile(join(hierarchyOf("memory"), path, "memory.limit_in_bytes"), String(memoryBytes));
  }
}

/** A new cpuset is empty, and nothing can run in it: give each level the whole machine. */
async function inheritCpuset(path: string): Promise<void> {
  const root = hierarchyOf("cpuset");
  let folder = root;
  for (const part of path.split("/")) {
    folder = join(folder, part);
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      await writeFile(join(folder, file), await readFile(join(root, file), "utf8"));
    }
  }
}

/** Paths of a cgroup and all below it in one hierarchy, the deepest first. */
function descendants(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap((entry) => descendants(join(folder, entry.name))), folder];
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    return []; // the cgroup went away between the listing and the reading
  }
}

/** Process ids in a cgroup and below it, in whatever hierarchy: a container may have left some of them. */
export function members(path: string): number[] {
  const found = new Set<number>();
  for (const root of hierarchies()) {
    for (const folder of descendants(join(root, path))) {
      for (const line of readLines(join(folder, "cgroup.procs"))) found.add(Number(line));
    }
  }
  return [...found];
}

/** Frozen tasks do not die of SIGKILL until they are thawed. */
async function thaw(path: string): Promise<void> {
  for (const folder of descendants(join(hierarchyOf("freezer"), path)).reverse()) {
    await writeFile(join(folder, "freezer.state"), "THAWED").catch(() => undefined); // the root has none, others may be gone
  }
}

function killAll(pids: number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it ended by itself
    }
  }
}

/** Ends every process in the cgroup, then removes it. Does nothing when there is none. */
export async function destroyCgroup(path: string): Promise<void> {
  await waitFor(`the processes in cgroup ${path} to end`, 30, async () => {
    const pids = members(path);
    killAll(pids);
    await thaw(path);
    return pids.length === 0;
  });
  await waitFor(`cgroup ${path} to be removed`, 15, () => removeFolders(path));
}

function removeFolders(path: string): boolean {
  for (const folder of hierarchies().flatMap((root) => descendants(join(root, path)))) {
    try {
      rmdirSync(folder);
    } catch {
      return false; // the kernel still ends a process in it
    }
  }
  return true;
}
