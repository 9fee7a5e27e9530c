import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runningContainer } from "../../../src/agent/host/containers.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { sourceMoveOf } from "../../../src/agent/host/layout.ts";
import { noteFreeze, sourceProcess } from "../../../src/agent/host/source-watch.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const GROUP = "/sys/fs/cgroup/freezer/pod/c1";
/** No Linux numbers a process so high. */
const NO_SUCH_PID = 2 ** 22 + 1;

let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

function container(pid: number, freezer: "FROZEN" | "THAWED" | "gone"): void {
  const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
  const state = { init_process_pid: pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
  write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
  if (freezer !== "gone") write(`${GROUP}/freezer.state`, `${freezer}\n`);
}

function frozen(pid: number): void {
  write(sourceMoveOf(MOVE).frozen, JSON.stringify({ frozenAtMs: 1, pid }));
  write(`${sourceMoveOf(MOVE).program}.pid`, "1");
}

describe("the note of a freeze", () => {
  test.each<[string, "FROZEN" | "THAWED", number, boolean]>([
    ["is kept when an agent before this one froze the container and died", "FROZEN", process.pid, true],
    ["is a new one when that agent had not come so far", "THAWED", process.pid, false],
    ["is a new one when the container is another one", "FROZEN", process.ppid, false],
  ])("%s", (_what, freezer, pid, kept) => {
    container(process.pid, freezer);
    frozen(pid);
    const beforeMs = Date.now();
    const frozenAtMs = noteFreeze(host, MOVE, runningContainer(host, "c1"));
    expect(frozenAtMs === 1).toBe(kept);
    if (!kept) expect(frozenAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(JSON.parse(readFileSync(host.path(sourceMoveOf(MOVE).frozen), "utf8"))).toEqual({
      frozenAtMs,
      pid: process.pid,
      group: GROUP,
    });
  });
});

describe("a frozen source", () => {
  test("is frozen while its init is the one that was frozen, and still is", () => {
    container(process.pid, "FROZEN");
    frozen(process.pid);
    expect(sourceProcess(host, MOVE, "c1")).toBe("frozen");
  });

  test("is frozen while CRIU dumps it, which thaws the group and holds the tasks itself", () => {
    container(process.pid, "THAWED");
    frozen(process.pid);
    expect(sourceProcess(host, MOVE, "c1")).toBe("frozen");
  });

  test.each([
    ["runs", "it was thawed", () => container(process.pid, "THAWED"), process.pid],
    ["runs", "its freezer is gone", () => container(process.pid, "gone"), process.pid],
    ["has ended", "its init is another process", () => container(process.pid, "FROZEN"), process.ppid],
    ["has ended", "its init has ended", () => container(NO_SUCH_PID, "FROZEN"), NO_SUCH_PID],
    ["has ended", "the runtime no longer knows it", () => undefined, process.pid],
  ])("%s when %s", (is, _what, make, pid) => {
    make();
    frozen(pid);
    write(`${sourceMoveOf(MOVE).program}.exit`, "0");
    expect(sourceProcess(host, MOVE, "c1")).toBe(is === "runs" ? "running" : "ended");
  });

  test("that a dump has not frozen yet is not called changed", () => {
    container(process.pid, "THAWED");
    expect(sourceProcess(host, MOVE, "c1")).toBeUndefined();
  });
});
