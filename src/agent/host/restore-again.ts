/** Makes way for a further restore of a copy that has died and was never released: the images are as they were. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../agent-error.ts";
import type { RestoreCommand } from "../node-runtime.ts";
import { killProcess } from "./cgroups.ts";
import { endCopy, forgetCopy, wrapperOf } from "./copy-ending.ts";
import { exitCodeOf, RUNNER_NAME } from "./detached.ts";
import { forgetFilled } from "./file-applying.ts";
import { readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { registrationOf, targetMoveOf } from "./layout.ts";
import { runsWith } from "./processes.ts";
import { copyAlive, isUnstarted, lazyPagesOf } from "./restore.ts";

/**
 * Does nothing when there is no dead copy: none was restored yet, or it is alive or being restored (the command was repeated). Fails with
 * `RestoreFailed` when the move was released or aborted, and with `CopyDead` when the images are gone.
 */
export async function forgetDeadCopy(
  host: Host,
  { moveUID, podUID }: RestoreCommand,
  signal: AbortSignal,
): Promise<void> {
  const registration = registrationOf(podUID);
  const move = targetMoveOf(moveUID);
  const wrapper = wrapperOf(host, moveUID);
  if (wrapper === undefined && !existsSync(host.path(registration.claimed))) return;
  if (copyAlive(host, moveUID) || isUnstarted(host, moveUID)) return;
  if (wrapper && runsWith(wrapper.pid, wrapper.container)) return;
  const refuse = (reason: "RestoreFailed" | "CopyDead", why: string) =>
    new AgentError(reason, `the copy has died and is not restored once more: ${why}`);
  if (existsSync(host.path(registration.released))) throw refuse("RestoreFailed", "it was released, it may have run");
  if (existsSync(host.path(registration.aborted))) throw refuse("RestoreFailed", "the move was rolled back");
  if (!existsSync(host.path(move.imagesComplete))) throw refuse("CopyDead", "its images are gone");
  await endLazyPages(host, moveUID);
  await endCopy(host, moveUID);
  await forgetCopy(host, moveUID).catch(() => undefined); // a folder that is left is not worth the copy
  signal.throwIfAborted();
  forgetFilled(host, moveUID);
  // Last what says that there was a copy: an agent that dies in between does all of this again.
  const marks = [move.lazy, move.lazyReady, move.restoreExit, registration.claimed, move.restorePid];
  for (const mark of marks) rmSync(host.path(mark), { recursive: true, force: true });
}

/** It ends before the copy's marks go: by them its failure would kill the next container. */
async function endLazyPages(host: Host, moveUID: string): Promise<void> {
  const name = lazyPagesOf(moveUID);
  const pid = Number(readIfThere(host.path(`${name}.pid`)) ?? 0);
  // A session of its own: the shell, and CRIU below it.
  if (pid > 1 && exitCodeOf(host, name) === undefined && runsWith(pid, RUNNER_NAME)) killProcess(-pid);
  for (const ending of ["pid", "exit", "out"]) rmSync(host.path(`${name}.${ending}`), { force: true });
  rmSync(host.path(join(targetMoveOf(moveUID).work, "lazy-pages.socket")), { force: true });
}
