/** How a source ends: it goes on from where it was, or its frozen tasks die without running. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceCommand } from "../node-runtime.ts";
import { endMoveGroup, killProcess, thaw } from "./cgroups.ts";
import { findContainer, pidsOf } from "./containers.ts";
import { isMissing } from "./files.ts";
import type { Host } from "./host.ts";

const KILL_LIMIT_MS = 10_000;

/** Ends a dump that may still run, then thaws. A container that is gone needs no thawing. */
export async function resumeSource(host: Host, command: SourceCommand): Promise<void> {
  await endMoveGroup(host, command.moveUID);
  const container = findContainer(host, command.source.containerID);
  if (!container) return;
  try {
    thaw(host, container.freezer);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/**
 * SIGKILL is pending on every task before any is thawed, so none comes back to its own code. Resolves when all are gone.
 */
export async function killSource(host: Host, command: SourceCommand): Promise<void> {
  await endMoveGroup(host, command.moveUID);
  const container = findContainer(host, command.source.containerID);
  if (!container) return;
  const deadline = Date.now() + KILL_LIMIT_MS;
  for (let pids = pidsOf(host, container); pids.length > 0; pids = pidsOf(host, container)) {
    for (const pid of pids) killProcess(pid);
    try {
      thaw(host, container.freezer);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    if (Date.now() > deadline) throw new Error(`processes ${pids.join(", ")} do not die`);
    await sleep(2);
  }
}
