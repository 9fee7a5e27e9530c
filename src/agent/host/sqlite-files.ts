/**
 * SQLite remembers its database's inode, and does not write a journal for one that has another: its program would get "attempt to write a readonly
 * database" from every write after a move. With a write-ahead log it doesn't ask. Which of the two it is stands in the file (https://www.sqlite.org/fileformat.html, 1.3).
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { SourceFacts } from "../protocol.ts";
import { entriesOf, linkOf, readIfThere } from "./files.ts";

type Obstacle = SourceFacts["obstacles"][number];

const MAGIC = "SQLite format 3\0";
/** Of the header's byte for the version of the writer. */
const VERSION_AT = 18;
const WITH_JOURNAL = 1;

/** At most one. */
export function sqliteObstacles(pids: readonly number[]): Obstacle[] {
  for (const pid of pids) {
    const path = writtenFiles(pid).find(hasJournal);
    if (path === undefined) continue;
    const message = `process ${pid} has the SQLite database ${linkOf(path)} open, which it could not write after a move: with PRAGMA journal_mode=WAL it can`;
    return [{ reason: "Sqlite", message }];
  }
  return [];
}

/** Regular files, open for writing. */
function writtenFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return entriesOf(folder).flatMap((number) => {
    const at = `${folder}/${number}`;
    return linkOf(at)?.startsWith("/") && isWritten(pid, number) && isRegular(at) ? [at] : [];
  });
}

function isWritten(pid: number, number: string): boolean {
  const flags = /^flags:\t(\d+)$/m.exec(readIfThere(`/proc/${pid}/fdinfo/${number}`) ?? "")?.[1] ?? "0";
  return (Number.parseInt(flags, 8) & 3) !== 0;
}

const isRegular = (at: string): boolean => statSync(at, { throwIfNoEntry: false })?.isFile() ?? false;

function hasJournal(at: string): boolean {
  let file: number;
  try {
    file = openSync(at, "r");
  } catch {
    return false; // closed meanwhile
  }
  try {
    const header = Buffer.alloc(VERSION_AT + 1);
    if (readSync(file, header, 0, header.length, 0) < header.length) return false;
    return header.toString("latin1", 0, MAGIC.length) === MAGIC && header[VERSION_AT] === WITH_JOURNAL;
  } finally {
    closeSync(file);
  }
}
