/** Control groups of versions 1 and 2: one per move with a memory limit, and the freezer of a container. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isMissing } from "./files.ts";
import type { Host } from "./host.ts";

const ROOT = "/sys/fs/cgroup";

export function cgroupVersion(host: Host): 1 | 2 {
  return existsSync(host.path(join(ROOT, "cgroup.controllers"))) ? 2 : 1;
}

/**
 * Makes the move's group, limits its memory and returns the cgroup.procs files (host paths) that a process has to write
 * itself to. On version 1 that takes it out of the agent's groups everywhere, so that it outlives the agent's pod.
 */
export function makeMoveGroup(host: Host, moveUID: string, memoryBytes: number | undefined): string[] {
  return cgroupVersion(host) === 2 ? makeUnified(host, moveUID, memoryBytes) : makeLegacy(host, moveUID, memoryBytes);
}

function makeUnified(host: Host, moveUID: string, memoryBytes: number | undefined): string[] {
  const parent = join(ROOT, "headroom");
  enableMemory(host, ROOT);
  mkdirSync(host.path(parent), { recursive: true });
  enableMemory(host, parent);
  const group = join(parent, moveUID);
  mkdirSync(host.path(group), { recursive: true });
  if (memoryBytes !== undefined) writeFileSync(host.path(join(group, "memory.max")), String(memoryBytes));
  return [join(group, "cgroup.procs")];
}

function enableMemory(host: Host, group: string): void {
  const file = host.path(join(group, "cgroup.subtree_control"));
  if (!readFileSync(file, "utf8").split(/\s+/).includes("memory")) writeFileSync(file, "+memory");
}

function makeLegacy(host: Host, moveUID: string, memoryBytes: number | undefined): string[] {
  const group = join(ROOT, "memory", "headroom", moveUID);
  mkdirSync(host.path(group), { recursive: true });
  if (memoryBytes !== undefined) writeFileSync(host.path(join(group, "memory.limit_in_bytes")), String(memoryBytes));
  const others = readdirSync(host.path(ROOT))
    .filter((name) => name !== "memory" && existsSync(host.path(join(ROOT, name, "cgroup.procs"))))
    .map((name) => join(ROOT, name, "cgroup.procs"));
  return [join(group, "cgroup.procs"), ...others];
}

/**
 * A group inside of a pod's for a program that works for the pod: the memory that it takes there is the pod's, also once the group is
 * gone. `podGroup` is the pod's own group (host path), on version 1 that of the memory controller.
 */
export async function makePodGroup(host: Host, podGroup: string): Promise<{ procs: string; end: () => Promise<void> }> {
  const group = join(podGroup, "headroom");
  const end = async () => {
    await killGroup(host, group);
    removeGroup(host, group);
  };
  await end(); // what an agent before this one has left would write beside the new program
  if (cgroupVersion(host) === 2) enableMemory(host, podGroup);
  mkdirSync(host.path(group), { recursive: true });
  return { procs: join(group, "cgroup.procs"), end };
}

/** The move's group (host path). */
export function moveGroup(host: Host, moveUID: string): string {
  return cgroupVersion(host) === 2 ? join(ROOT, "headroom", moveUID) : join(ROOT, "memory", "headroom", moveUID);
}

/** Kills what runs in the move's group and removes the group. Resolves when both are done. */
export async function endMoveGroup(host: Host, moveUID: string): Promise<void> {
  const group = moveGroup(host, moveUID);
  await killGroup(host, group);
  removeGroup(host, group);
  removeGroup(host, join(group, ".."));
}

/** Removes an empty group; one that is not there or not empty is left as it is. */
function removeGroup(host: Host, group: string): void {
  try {
    rmdirSync(host.path(group));
  } catch {
    // Another move's group is below it, or it is gone already.
  }
}

/** Kills every process of a group and those below it, and resolves when they are gone. Rejects after 10 s. */
export async function killGroup(host: Host, group: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let pids = processesOf(host, group); pids.length > 0; pids = processesOf(host, group)) {
    for (const pid of pids) killProcess(pid);
    if (Date.now() > deadline) throw new Error(`processes ${pids.join(", ")} of ${group} do not die`);
    await sleep(2);
  }
}

export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** PIDs in a group (host path) and the groups below it. */
export function processesOf(host: Host, group: string): number[] {
  const directory = host.path(group);
  try {
    const own = readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...children.flatMap((child) => processesOf(host, join(group, child.name)))];
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** A container's freezer: its group's directory (host path) and the version it belongs to. */
export interface Freezer {
  version: 1 | 2;
  group: string;
}

export function isFrozen(host: Host, freezer: Freezer): boolean {
  const file = freezer.version === 1 ? "freezer.state" : "cgroup.events";
  const content = readFileSync(host.path(join(freezer.group, file)), "utf8");
  return freezer.version === 1 ? content.trim() === "FROZEN" : /^frozen 1$/m.test(content);
}

/** Stops every task where it is. Rejects after 5 s, with the tasks thawed again, and leaves the freezer alone after `signal`. */
export async function freeze(host: Host, freezer: Freezer, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    signal.throwIfAborted();
    setFrozen(host, freezer, true);
    if (isFrozen(host, freezer)) return;
    if (Date.now() > deadline) {
      setFrozen(host, freezer, false);
      throw new Error(`${freezer.group} does not freeze`);
    }
    await sleep(1);
  }
}

export function thaw(host: Host, freezer: Freezer): void {
  setFrozen(host, freezer, false);
}

/** Doesn't wait for it. */
export function setFrozen(host: Host, freezer: Freezer, frozen: boolean): void {
  if (freezer.version === 1) {
    writeFileSync(host.path(join(freezer.group, "freezer.state")), frozen ? "FROZEN" : "THAWED");
  } else {
    writeFileSync(host.path(join(freezer.group, "cgroup.freeze")), frozen ? "1" : "0");
  }
}
