import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { registrationOf, startMarkOf, targetMoveOf } from "../../../src/agent/host/layout.ts";
import { abort, END_WITHOUT_MEMORY, memoryComplete, restore } from "../../../src/agent/host/restore.ts";
import { waitingCreates } from "../../../src/agent/host/waiting-create.ts";

const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const command = { moveUID: MOVE, epoch: 1, podUID: POD };
const move = targetMoveOf(MOVE);

let root: string;
let host: Host;
let child: ChildProcess;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
  child = spawn("/bin/sh", ["-c", "echo; read line", "wrapper", "c1"], { stdio: ["pipe", "pipe", "ignore"] });
  await once(child.stdout ?? child, "data");
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

describe("the wrapper's process", () => {
  test("that waits counts as long as it is the wrapper of that container", () => {
    for (const name of ["c1", "c2"]) {
      write(join(move.waiting, name), "");
      write(join(move.waiting, `${name}.pid`), `${child.pid}\n`);
    }
    expect(waitingCreates(host, MOVE)).toEqual(["c1"]);
  });

  test("is killed by an abort, and the mark for its `start` goes", async () => {
    write(move.restorePid, `${child.pid} c1\n`);
    write(startMarkOf("c1"), "");
    const ended = once(child, "exit");
    await abort(host, command);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(host.path(startMarkOf("c1")))).toBe(false);
  });

  test("is not killed when its number is another process's by now", async () => {
    write(move.restorePid, `${child.pid} c2\n`);
    await abort(host, command);
    child.stdin?.write("a line to end by itself\n");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("that took its word and is gone without one of its own ends the restore, long before its limit", async () => {
    write(registrationOf(POD).claimed, "");
    const limits = { createMs: 1, restoreMs: 600_000 };
    const ended = restore(host, command, async () => undefined, false, new AbortController().signal, limits);
    await expect(ended).rejects.toMatchObject({ reason: "RestoreFailed" });
  });
});

test("a container whose memory does not all come is frozen before it is killed", () => {
  const group = "/pod/c1";
  write(move.restorePid, "1 c1\n");
  write("/run/containerd/runc/k8s.io/c1/state.json", '{"id":"c1","init_process_pid":4711,"init_process_start":5}');
  write("/proc/4711/cgroup", `9:freezer:${group}\n2:cpu,cpuacct:/other\n0::${group}\n`);
  write(`/sys/fs/cgroup/freezer${group}/freezer.state`, "THAWED");
  write(`/sys/fs/cgroup${group}/cgroup.freeze`, "0");
  write("/bin/runc", `#!/bin/sh\ncat ${host.path(`/sys/fs/cgroup/freezer${group}/freezer.state`)}; echo "$@"\n`);
  chmodSync(host.path("/bin/runc"), 0o755);
  const script = END_WITHOUT_MEMORY.replaceAll(/(?<=[ "=])\/(run|sys|proc)\//g, `${root}/$1/`);
  const env = { PATH: `${host.path("/bin")}:${process.env.PATH}` };
  const said = execFileSync("/bin/sh", ["-c", script, "headroom-run", host.path(move.restorePid)], { env }).toString();
  expect(said).toBe(`FROZEN\n--root ${root}/run/containerd/runc/k8s.io kill --all c1 KILL\n`);
  expect(readFileSync(host.path(`/sys/fs/cgroup${group}/cgroup.freeze`), "utf8")).toBe("1\n");
});

describe("memory that is filled while the container runs", () => {
  const GROUP = "/sys/fs/cgroup/devices/pod/c1";

  /** A restored container of one process, and what served its memory ended with this code. */
  function served(code: number): void {
    const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
    const state = { init_process_pid: child.pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
    write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
    write(`${GROUP}/cgroup.procs`, `${child.pid}\n`);
    write(move.restorePid, "1 c1\n");
    write(join(move.directory, "lazy-pages.pid"), "1");
    write(join(move.directory, "lazy-pages.exit"), String(code));
    child.once("exit", () => write(`${GROUP}/cgroup.procs`, ""));
  }

  test("and did not all come is not left to read as zeros", async () => {
    served(137);
    const ended = once(child, "exit");
    expect(await memoryComplete(host, MOVE, 1_000)).toMatch(/container was ended: criu lazy-pages ended with 137/);
    expect(await ended).toEqual([null, "SIGKILL"]);
  });

  test("and did not all come is told, also when its container has been ended for it already", async () => {
    served(137);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    expect(await memoryComplete(host, MOVE, 1_000)).toMatch(/not all of the memory came/);
  });

  test("and has all come is left alone", async () => {
    served(0);
    expect(await memoryComplete(host, MOVE, 1_000)).toBeUndefined();
    child.stdin?.write("a line to end by itself\n");
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
