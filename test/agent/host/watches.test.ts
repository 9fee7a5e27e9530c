import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Container } from "../../../src/agent/host/containers.ts";
import { thisHost } from "../../../src/agent/host/host.ts";
import { watchedPaths, watchesIn, watchObstacle } from "../../../src/agent/host/watches.ts";

let rootfs: string;
const watchers: ChildProcess[] = [];
beforeEach(() => {
  rootfs = mkdtempSync(join(tmpdir(), "watches-"));
  for (const folder of ["data/deep", "a folder"]) mkdirSync(join(rootfs, folder), { recursive: true });
  for (const file of ["data/file", "gone"]) writeFileSync(join(rootfs, file), "");
});
afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.kill("SIGKILL");
  rmSync(rootfs, { recursive: true, force: true });
});

/** What a process that watches these, below the root or elsewhere, is found to watch. */
async function watching(paths: readonly string[], meanwhile: () => void = () => undefined) {
  const script = "for (const path of process.argv.slice(1)) require('node:fs').watch(path); console.log('ready')";
  const watcher = spawn(process.execPath, ["-e", script, ...paths], { stdio: ["ignore", "pipe", "inherit"] });
  watchers.push(watcher);
  await once(watcher.stdout ?? expect.fail(), "data");
  meanwhile();
  return await watchedPaths({ host: thisHost(), procs: [] }, { rootfs } as Container, [watcher.pid ?? 0, 4_194_305]);
}
const inRoot = (...names: string[]) => names.map((name) => join(rootfs, name));

describe("watches", () => {
  test("are found by their names, files before folders", async () => {
    const found = await watching(inRoot("data", "data/deep", "data/file"));
    expect(found).toEqual({ paths: ["/data/file", "/data/deep", "/data"], lost: 0 });
    expect(watchObstacle(found)).toEqual([]);
  });

  test("of what has no name any more, or none that CRIU can be told, are lost", async () => {
    const found = await watching(inRoot("data", "gone", "a folder"), () => rmSync(join(rootfs, "gone")));
    expect(found).toEqual({ paths: ["/data"], lost: 1 });
    expect(watchObstacle({ paths: [], lost: 2 })).toMatchObject([{ reason: "WatchLost" }]);
  });

  test("on other file systems are not looked for, and none are none", async () => {
    expect(await watching(["/proc/self"])).toEqual({ paths: [], lost: 0 });
    expect(await watching([])).toEqual({ paths: [], lost: 0 });
  });

  test("are read out of what the kernel tells of a descriptor", () => {
    const info =
      "pos:\t0\nflags:\t00\ninotify wd:2 ino:2a1 sdev:800013 mask:fce ignored_mask:0 fhandle-bytes:8\ninotify wd:1 ino:9 sdev:4e mask:2 \n";
    expect(watchesIn(info)).toEqual([
      { inode: 0x2a1, device: 0x800013 },
      { inode: 9, device: 0x4e },
    ]);
  });
});
