/** Is a source still what was frozen? Its kubelet may have restarted it, or the out-of-memory killer ended it, meanwhile. */
import { z } from "zod";
import { writeDurably } from "../move-records.ts";
import type { SourceProcess } from "../node-runtime.ts";
import { isFrozen } from "./cgroups.ts";
import { type Container, findContainer } from "./containers.ts";
import { exitCodeOf, isAlive, wasStarted } from "./detached.ts";
import { isMissing, readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { sourceMoveOf } from "./layout.ts";

/** Written just before the freeze. `pid`: the container's init, as the host numbers it; `group`: its freezer (host path). */
export const frozenSchema = z.object({
  frozenAtMs: z.number(),
  pid: z.int().optional(),
  group: z.string().optional(),
});
export type Frozen = z.infer<typeof frozenSchema>;

/** Undefined: the dump has not come as far as having frozen it. */
export function sourceProcess(host: Host, moveUID: string, containerID: string): SourceProcess | undefined {
  const move = sourceMoveOf(moveUID);
  const container = findContainer(host, containerID);
  if (!container || !isAlive(container.pid)) return "ended";
  const pid = noteIn(readIfThere(host.path(move.frozen)))?.pid;
  if (pid !== undefined && pid !== container.pid) return "ended";
  // CRIU holds the tasks itself while it dumps them, and thaws their group for that; it freezes the group again as it ends.
  const dumping = wasStarted(host, move.program) && exitCodeOf(host, move.program) === undefined;
  if (dumping || isFrozenNow(host, container)) return "frozen";
  return wasStarted(host, move.program) ? "running" : undefined;
}

function isFrozenNow(host: Host, container: Container): boolean {
  try {
    return isFrozen(host, container.freezer);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * When the move froze its source, epoch milliseconds; undefined: it never did. The note alone doesn't say so, for it is written before
 * the pause. Never fails because of a damaged note: the caller is about to thaw the source.
 */
export function frozenSince(host: Host, moveUID: string, container: Container | undefined): number | undefined {
  const move = sourceMoveOf(moveUID);
  const note = noteIn(readIfThere(host.path(move.frozen)));
  if (note === undefined) return undefined;
  const done = wasStarted(host, move.program) || (container !== undefined && isFrozenNow(host, container));
  return done ? note.frozenAtMs : undefined;
}

/**
 * Writes down, just before the pause, when the container is frozen. One that stands frozen already, by an agent that died before it could
 * start CRIU, has been since that agent's note.
 */
export function noteFreeze(host: Host, moveUID: string, container: Container): number {
  const move = sourceMoveOf(moveUID);
  const before = noteIn(readIfThere(host.path(move.frozen)));
  const stillFrozen = before?.pid === container.pid && isFrozenNow(host, container);
  const frozenAtMs = before && stillFrozen ? before.frozenAtMs : Date.now();
  const note: Frozen = { frozenAtMs, pid: container.pid, group: container.freezer.group };
  writeDurably(host.path(move.frozen), JSON.stringify(note));
  return note.frozenAtMs;
}

/** Undefined also for a damaged note. */
export function noteIn(text: string | undefined): Frozen | undefined {
  try {
    return text === undefined ? undefined : frozenSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
