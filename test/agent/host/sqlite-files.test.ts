/** SQLite databases that a process has open. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sqliteObstacles } from "../../../src/agent/host/sqlite-files.ts";

const header = (version: number, magic = "SQLite format 3\0") => {
  const bytes = Buffer.alloc(512);
  bytes.write(magic, "latin1");
  bytes[18] = bytes[19] = version;
  return bytes;
};

test.skipIf(process.platform !== "linux").each<[string, Buffer, "r" | "r+", boolean]>([
  ["a rollback journal", header(1), "r+", true],
  ["a write-ahead log", header(2), "r+", false],
  ["a rollback journal that is only read", header(1), "r", false],
  ["another format", header(1, "SQLite format 2\0"), "r+", false],
  ["nothing in it", Buffer.alloc(0), "r+", false],
])("a database with %s", (_what, content, flags, refused) => {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-"));
  const path = join(folder, "base");
  writeFileSync(path, content);
  const file = openSync(path, flags);
  try {
    const found = sqliteObstacles([process.pid]);
    expect(found.map(({ reason }) => reason)).toEqual(refused ? ["Sqlite"] : []);
    if (refused) expect(found[0]?.message).toContain(`${path} open`);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
});
