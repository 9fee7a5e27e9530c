/** Files that a command reads and would write as well: by the same name, another spelling, or a symbolic or hard link. */
import { type BigIntStats, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

export interface FlaggedFile {
  /** That names it. */
  flag: string;
  file: string;
}

/** What is wrong with writing there; undefined: nothing that is read would be lost. */
export function overwriting({ flag, file }: FlaggedFile, inputs: readonly FlaggedFile[]): string | undefined {
  if (!statsOf(file)?.isFile()) return undefined;
  const lost = inputs.find((input) => placeOf(input.file) === placeOf(file));
  return lost && `${flag} ${file}: would overwrite ${lost.file}, which ${lost.flag} reads: give another file`;
}

/** The same for all names of one file. Terminals and pipes go by their names: nothing is lost in them. */
export function placeOf(file: string): string {
  const stats = statsOf(file);
  return stats?.isFile() ? `device ${stats.dev} inode ${stats.ino}` : spelledOut(file);
}

/** Undefined: not there, or not to be looked at. */
function statsOf(file: string): BigIntStats | undefined {
  try {
    return statSync(file, { bigint: true });
  } catch {
    return undefined;
  }
}

function spelledOut(file: string): string {
  try {
    return join(realpathSync(dirname(file)), basename(file));
  } catch {
    return resolve(file);
  }
}
