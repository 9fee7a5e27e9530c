/** The runtime wrapper's `create` that waits in a move's folder, and the word that lets it go on or gives it up. */
import { closeSync, constants, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { entriesOf, isMissing, readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { targetMoveOf } from "./layout.ts";
import { runsWith } from "./processes.ts";

/** Containers whose `create` waits now, the newest first. A wrapper that was killed doesn't count. */
export function waitingCreates(host: Host, moveUID: string): string[] {
  const folder = host.path(targetMoveOf(moveUID).waiting);
  const names = entriesOf(folder).filter((name) => !name.endsWith(".pid"));
  const alive = names.filter((name) => {
    const pid = readIfThere(join(folder, `${name}.pid`))?.trim();
    return pid !== undefined && pid !== "" && runsWith(Number(pid), name);
  });
  const sinceMs = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return alive.sort((a, b) => sinceMs(b) - sinceMs(a));
}

/** Resolves with the waiting container; undefined when none has come after `limit.ms`. */
export async function waitForCreate(
  host: Host,
  moveUID: string,
  limit: { ms: number; signal?: AbortSignal },
): Promise<string | undefined> {
  const deadline = Date.now() + limit.ms;
  for (;;) {
    const [newest] = waitingCreates(host, moveUID);
    if (newest !== undefined || Date.now() > deadline) return newest;
    limit.signal?.throwIfAborted();
    await sleep(3);
  }
}

/** Gives a waiting `create` its word. False when nobody listens (yet, or any more). */
export function tellCreate(host: Host, moveUID: string, container: string, word: string): boolean {
  try {
    const fifo = openSync(
      join(host.path(targetMoveOf(moveUID).waiting), container),
      constants.O_WRONLY | constants.O_NONBLOCK,
    );
    try {
      writeSync(fifo, `${word}\n`);
    } finally {
      closeSync(fifo);
    }
    return true;
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && "code" in error && error.code === "ENXIO")) return false;
    throw error;
  }
}
