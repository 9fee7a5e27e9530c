/**
 * Ends what a move restores, or has restored, on its target.
 *
 * A runc that is killed while it restores leaves the container's root mounted in its own folder (criu-root), and `runc delete --force`, which
 * containerd calls next, deletes through that mount and leaves the folder. So CRIU and the tasks that it has made are killed, and runc
 * undoes its work and ends by itself.
 */
import { lstatSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { killGroup } from "./cgroups.ts";
import { bundleOf, findContainer, overlayOptionsOf } from "./containers.ts";
import { entriesOf, readIfThere } from "./files.ts";
import { type Host, mustRun, runtimeOf } from "./host.ts";
import { startMarkOf, targetMoveOf } from "./layout.ts";
import { killDescendants, killTree, processesWith, runsWith } from "./processes.ts";

/** A runc whose CRIU is killed ends within some ten milliseconds; one that hangs, e.g. in a disk, is killed after this time. */
const END_MS = 2_000;
/** After this time the call fails, and the error names the processes that are still running. */
const DEATH_MS = 10_000;

/** The runtime wrapper that has taken the word to restore, alive or not. */
export function wrapperOf(host: Host, moveUID: string): { pid: number; container: string } | undefined {
  const text = readIfThere(host.path(targetMoveOf(moveUID).restorePid));
  const [pid, container] = text?.trim().split(" ") ?? [];
  return pid && container ? { pid: Number(pid), container } : undefined;
}

/** Ends the restore, or the copy that it has made. Resolves when no process of either is left; rejects after 10 s. */
export async function endCopy(host: Host, moveUID: string): Promise<void> {
  const wrapper = wrapperOf(host, moveUID);
  if (wrapper === undefined) return;
  await endRestore(wrapper.container);
  const container = findContainer(host, wrapper.container);
  if (container) await killGroup(host, container.group);
  rmSync(host.path(startMarkOf(wrapper.container)), { force: true });
  removeMountpoints(host, wrapper.container);
}

/** containerd may have killed the wrapper and not the runc that it had started, so both are looked for by the container's name. */
async function endRestore(container: string): Promise<void> {
  const beganMs = Date.now();
  for (;;) {
    const named = processesWith(container);
    const restoring = named.filter((pid) => runsWith(pid, "restore"));
    const all = [...restoring, ...named.filter((pid) => runsWith(pid, "create"))];
    if (all.length === 0) return;
    const forMs = Date.now() - beganMs;
    if (forMs > DEATH_MS) throw new Error(`processes ${all.join(", ")} that restore ${container} do not die`);
    if (forMs > END_MS) for (const pid of all) killTree(pid);
    else for (const pid of restoring) killDescendants(pid);
    await sleep(2);
  }
}

/** containerd unmounts the root of a `create` that it has broken off, and can't remove the folder if runc has made its mountpoints in there since. */
function removeMountpoints(host: Host, container: string): void {
  const root = join(bundleOf(host, container), "rootfs");
  if (overlayOptionsOf(root, mountsOf(host)) === undefined) removeEmpty(host.path(root));
}

/** All below it that holds nothing. */
function removeEmpty(directory: string): void {
  for (const name of entriesOf(directory)) {
    const path = join(directory, name);
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry?.isFile() && entry.size === 0) rmSync(path, { force: true });
    if (!entry?.isDirectory()) continue;
    removeEmpty(path);
    if (readdirSync(path).length === 0) rmdirSync(path);
  }
}

/**
 * Takes a copy that was ended out of runc's books: containerd, which calls `runc delete` as well, may have done so before the restore wrote
 * its last. Rejects when runc cannot.
 */
export async function forgetCopy(host: Host, moveUID: string): Promise<void> {
  const container = wrapperOf(host, moveUID)?.container;
  const { runc, runcRoot } = runtimeOf(host);
  if (container === undefined || entriesOf(host.path(runcRoot)).every((name) => name !== container)) return;
  const root = join(runcRoot, container, "criu-root");
  if (overlayOptionsOf(root, mountsOf(host)) !== undefined) await mustRun(host, ["umount", "-R", "-l", root]);
  await mustRun(host, [runc, "--root", runcRoot, "delete", "--force", container]);
}

const mountsOf = (host: Host): string => readIfThere(host.path("/proc/1/mountinfo")) ?? "";
