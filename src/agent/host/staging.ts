/** The tmpfs that a move stages its checkpoint in, and the budget that all moves of the node share. */
import { existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { release } from "node:os";
import { AgentError } from "../agent-error.ts";
import { entriesOf, isMissing } from "./files.ts";
import { type Host, mustRun, runOnHost } from "./host.ts";
import { TARGET_MOVES_DIRECTORY, targetMoveOf } from "./layout.ts";

/** Bytes that the moves here may still fill between them: the sum of their staging areas' sizes. */
export function stagedBytes(host: Host): number {
  return entriesOf(host.path(TARGET_MOVES_DIRECTORY))
    .filter((moveUID) => isMounted(host, targetMoveOf(moveUID).staging))
    .map((moveUID) => statfsSync(host.path(targetMoveOf(moveUID).staging)))
    .reduce((sum, { bsize, blocks }) => sum + bsize * blocks, 0);
}

/** Memory that the node could give away now, bytes. */
export function availableBytes(host: Host): number {
  const line = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync(host.path("/proc/meminfo"), "utf8"));
  return Number(line?.[1] ?? 0) * 1024;
}

export function isMounted(host: Host, directory: string): boolean {
  if (!existsSync(host.path(directory))) return false;
  return readFileSync("/proc/1/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === directory);
}

/** Mounts the move's staging area; does nothing when it is there. Fails with `NoRoom` when the budget doesn't allow it. */
export async function mountStaging(host: Host, moveUID: string, bytes: number, budgetBytes: number): Promise<void> {
  const move = targetMoveOf(moveUID);
  mkdirSync(host.path(move.waiting), { recursive: true, mode: 0o700 });
  if (!isMounted(host, move.staging)) {
    const free = Math.min(budgetBytes - stagedBytes(host), availableBytes(host));
    if (bytes > free)
      throw new AgentError("NoRoom", `${bytes} bytes are to be staged, ${free} are free`, { retryable: true });
    mkdirSync(host.path(move.staging), { recursive: true, mode: 0o700 });
    const swaps = readFileSync(host.path("/proc/swaps"), "utf8");
    const options = [`size=${Math.ceil(bytes)},mode=0700,nosuid,nodev,noexec`, ...keptFromSwap(release(), swaps)];
    await mustRun(host, ["mount", "-t", "tmpfs", "-o", options.join(","), "headroom", move.staging]);
  }
  for (const folder of [move.images, move.work]) mkdirSync(host.path(folder), { recursive: true, mode: 0o700 });
}

/**
 * The mount options that keep a process's memory from being written to a disk in the clear. `swaps` is /proc/swaps: a heading, and a
 * line for each swap area. Fails with `NoRoom` where the kernel cannot promise it (tmpfs has `noswap` since Linux 6.4) and there is swap.
 */
export function keptFromSwap(kernel: string, swaps: string): string[] {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  if (major > 6 || (major === 6 && minor >= 4)) return ["noswap"];
  if (swaps.trim().split("\n").length <= 1) return [];
  throw new AgentError(
    "NoRoom",
    `this node swaps, and its kernel ${kernel} cannot keep staged memory out of that: turn swap off or use Linux 6.4`,
  );
}

/** Unmounts the staging area and removes the move's folder. */
export async function removeStaging(host: Host, moveUID: string): Promise<void> {
  const move = targetMoveOf(moveUID);
  if (isMounted(host, move.staging)) {
    const { code } = await runOnHost(host, ["umount", move.staging]);
    if (code !== 0) await mustRun(host, ["umount", "-l", move.staging]);
  }
  await rm(host.path(move.directory), { recursive: true, force: true }).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}
