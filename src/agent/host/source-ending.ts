/** How a source ends: it goes on from where it was, or its frozen tasks die without running. */
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../agent-error.ts";
import type { SourceCommand } from "../node-runtime.ts";
import type { Resumed } from "../protocol.ts";
import { endMoveGroup, type Freezer, killProcess, thaw } from "./cgroups.ts";
import { findContainer, pidsOf } from "./containers.ts";
import { exitCodeOf, isAlive, waitForExit, wasStarted } from "./detached.ts";
import { isMissing } from "./files.ts";
import type { Host } from "./host.ts";
import { sourceMoveOf } from "./layout.ts";
import { cureSockets } from "./sockets.ts";
import { frozenSince } from "./source-watch.ts";

/** After this the caller is told, and asks again. */
const KUBELET_WAIT_MS = 5_000;
const POLL_MS = 20;

/**
 * CRIU has put code of its own into the tasks that it dumps. Given up with its page connection it takes that out again and ends; killed
 * it may leave it there. The source stays frozen for this long at most.
 */
const CURE_MS = 1_500;

/** Ends a dump that may still run, then thaws. A container that is gone needs no thawing. */
export async function resumeSource(host: Host, command: SourceCommand): Promise<Resumed> {
  const { moveUID, source } = command;
  const frozenAtMs = frozenSince(host, moveUID, findContainer(host, source.containerID));
  await dumpEnded(host, moveUID);
  await endMoveGroup(host, moveUID).catch((error: unknown) => {
    // A packer that hangs in a disk must not keep the source frozen: only CRIU has its hands in it.
    const { program } = sourceMoveOf(moveUID);
    if (wasStarted(host, program) && exitCodeOf(host, program) === undefined) throw error;
  });
  const container = findContainer(host, source.containerID);
  if (container) {
    // The source goes on in any case.
    if (wasStarted(host, sourceMoveOf(moveUID).program))
      await Promise.race([cureSockets({ host, procs: [] }, pidsOf(host, container)), sleep(CURE_MS)]).catch(
        () => undefined,
      );
    thawIfThere(host, container.freezer);
  }
  return frozenAtMs === undefined ? {} : { freeze: { frozenAtMs, resumedAtMs: Date.now() } };
}

function thawIfThere(host: Host, freezer: Freezer): void {
  try {
    thaw(host, freezer);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function dumpEnded(host: Host, moveUID: string): Promise<void> {
  const { program } = sourceMoveOf(moveUID);
  if (!wasStarted(host, program)) return;
  await waitForExit(host, program, { ms: CURE_MS }).catch(() => undefined); // then it is killed
}

/**
 * Kills every frozen task but init: none comes back to its own code, however and whenever it is thawed. Init is left to the
 * kubelet, which ends it once it has seen the pod's deletion (runc thaws for SIGKILL) and until then would take its end
 * for a crash and start the container anew. Resolves when init is gone.
 */
export async function killSource(host: Host, command: SourceCommand): Promise<void> {
  await endMoveGroup(host, command.moveUID);
  const deadline = Date.now() + KUBELET_WAIT_MS;
  for (;;) {
    const container = findContainer(host, command.source.containerID);
    if (!container || !isAlive(container.pid)) return;
    for (const pid of pidsOf(host, container)) if (pid !== container.pid) killProcess(pid);
    if (Date.now() > deadline) {
      const message = "the frozen source waits for its kubelet to see the pod's deletion";
      throw new AgentError("WrongState", message, { retryable: true });
    }
    await sleep(POLL_MS);
  }
}
