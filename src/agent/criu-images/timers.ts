/**
 * What would stop a program's timer: of a periodic timerfd that has expired and was not read, the kernel shows no time that is left, and
 * CRIU restores it disarmed (https://github.com/checkpoint-restore/criu/issues/3162). Such a timer is given a nanosecond, so that it expires
 * at once and goes on.
 */
import type { FileEntry } from "./definitions.ts";

/** Pure. */
export function withTimersArmed(files: readonly FileEntry[]): FileEntry[] {
  return files.map((file) => {
    const { tfd } = file;
    const isPeriodic = Boolean(tfd?.isec || tfd?.insec);
    const isStopped = isPeriodic && Boolean(tfd?.ticks) && !tfd?.vsec && !tfd?.vnsec;
    return isStopped ? { ...file, tfd: { ...tfd, vnsec: 1n } } : file;
  });
}
