import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { thisHost } from "../../../src/agent/host/host.ts";
import {
  lostNameObstacles,
  UNLINKED_LIMIT_BYTES,
  unlinkedBytes,
  unlinkedObstacles,
} from "../../../src/agent/host/unlinked-files.ts";

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "unlinked-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** A process that has done this and goes on. */
async function process(script: string): Promise<number> {
  const child = spawn("/bin/sh", ["-c", `${script}; echo; read line`], {
    cwd: directory,
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  await once(child.stdout ?? child, "data");
  return child.pid ?? 0;
}

test("deleted files that are open are counted, each once, whoever has them open", async () => {
  for (const name of ["a", "b", "kept"]) writeFileSync(join(directory, name), "x".repeat(1_000));
  const script = "exec 3<a 4<b 5<kept 6<a; rm a b";
  const pid = await process(script);
  expect(unlinkedBytes([pid, pid])).toBe(2_000);
  expect(unlinkedBytes([2 ** 22 + 1])).toBe(0);
});

test("a file that was deleted under the name it was opened by, and has another one, is reported with the first", async () => {
  for (const name of ["a", "b"]) writeFileSync(join(directory, name), "x".repeat(1_000));
  const pid = await process("exec 3<a 4<b; ln a other; rm a b");
  expect(lostNameObstacles(pid)).toEqual([
    { reason: "NameLost", message: expect.stringContaining(`uses ${join(directory, "a")}, which was deleted`) },
  ]);
  expect(unlinkedBytes([pid])).toBe(1_000);
});

/** Mapped files can be looked at by root alone, and nothing but Node maps none. */
const canMap = globalThis.process.getuid?.() === 0 && spawnSync("python3", ["-c", ""]).status === 0;

test.skipIf(!canMap)("a deleted file that a program maps, and has open no more, is counted", async () => {
  writeFileSync(join(directory, "m"), "x".repeat(5_000));
  const open = "import mmap,os,sys; f=open('m','r+b'); m=mmap.mmap(f.fileno(),0); f.close(); os.unlink('m')";
  const pid = await process(`exec python3 -c "${open}; print(flush=True); sys.stdin.read()"`);
  expect(unlinkedBytes([pid])).toBe(5_000);
});

test.each([
  ["none", 0, []],
  ["eight of 16 MiB, where there is room", 8 * (16 << 20), []],
  ["more than CRIU is let to copy", UNLINKED_LIMIT_BYTES + 1, ["UnlinkedFiles"]],
])("a container with deleted files is refused before the freeze, or moved: %s", (_what, bytes, reasons) => {
  const host = { ...thisHost(), path: () => directory };
  expect(unlinkedObstacles(host, bytes).map(({ reason }) => reason)).toEqual(reasons);
});
