import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentError } from "../../../src/agent/agent-error.ts";
import { isAlive, startDetached } from "../../../src/agent/host/detached.ts";
import { readIfThere } from "../../../src/agent/host/files.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { registrationOf, startMarkOf, targetMoveOf } from "../../../src/agent/host/layout.ts";
import { pageServerOf } from "../../../src/agent/host/page-server.ts";
import { abort, END_WITHOUT_MEMORY, memoryComplete, restore } from "../../../src/agent/host/restore.ts";
import { forgetDeadCopy } from "../../../src/agent/host/restore-again.ts";
import { waitingCreates } from "../../../src/agent/host/waiting-create.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";
import { until } from "../../support/until.ts";

const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const command = { moveUID: MOVE, epoch: 1, podUID: POD };
const move = targetMoveOf(MOVE);

let root: string;
let host: Host;
let write: NodeFolder["write"];
let child: ChildProcess;
const others: ChildProcess[] = [];

beforeEach(async () => {
  ({ root, host, write } = nodeFolder());
  const config = { process: { user: { uid: 0, gid: 0 } }, linux: {} };
  write("/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1/config.json", JSON.stringify(config));
  child = spawn("/bin/sh", ["-c", "echo; read line", "wrapper", "c1"], { stdio: ["pipe", "pipe", "ignore"] });
  await once(child.stdout ?? child, "data");
});
afterEach(async () => {
  for (const other of others.splice(0)) other.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(root, { recursive: true, force: true });
});

describe("the wrapper's process", () => {
  test("that waits counts as long as it is the wrapper of that container", () => {
    for (const name of ["c1", "c2"]) {
      write(join(move.waiting, name), "");
      write(join(move.waiting, `${name}.pid`), `${child.pid}\n`);
    }
    expect(waitingCreates(host, MOVE)).toEqual(["c1"]);
  });

  test("is not killed when its number is another process's by now", async () => {
    write(move.restorePid, `${child.pid} c2\n`);
    await abort(host, command);
    child.stdin?.write("a line to end by itself\n");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("that took its word and is gone without one of its own ends the restore, long before its limit", async () => {
    write(registrationOf(POD).claimed, "");
    const limits = { createMs: 1, restoreMs: 600_000, startMs: 1 };
    const ended = restore(
      host,
      command,
      async () => undefined,
      async () => false,
      new AbortController().signal,
      limits,
    );
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
  const script = END_WITHOUT_MEMORY.replaceAll(/(?<=[ "=])\/(sys|proc)\//g, `${root}/$1/`);
  const paths = [move.restorePid, "/bin/runc", "/run/containerd/runc/k8s.io"].map(host.path);
  const said = execFileSync("/bin/sh", ["-c", script, "headroom-run", ...paths]).toString();
  expect(said).toBe(`FROZEN\n--root ${root}/run/containerd/runc/k8s.io kill --all c1 KILL\n`);
  expect(readFileSync(host.path(`/sys/fs/cgroup${group}/cgroup.freeze`), "utf8")).toBe("1\n");
});

/** A `create` that waits at its fifo, as of the given second. */
function createWaits(container: string, atSecond: number): { word: Promise<string>; child: ChildProcess } {
  const fifo = join(move.waiting, container);
  mkdirSync(host.path(move.waiting), { recursive: true });
  execFileSync("mkfifo", [host.path(fifo)]);
  utimesSync(host.path(fifo), atSecond, atSecond);
  const waiting = spawn("/bin/sh", ["-c", 'read word <"$0"; echo "$word"', host.path(fifo), container], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  write(`${fifo}.pid`, `${waiting.pid}\n`);
  others.push(waiting);
  return { word: text(waiting.stdout), child: waiting };
}

describe("the word to restore", () => {
  const limits = { createMs: 10_000, restoreMs: 10_000, startMs: 10_000 };
  const stop = new Error("enough");

  /** All of the checkpoint is there; `giveFiles` stands for the copying. Ends once the word was given. */
  async function restored(giveFiles: (container: string) => Promise<void>): Promise<void> {
    write(move.imagesComplete, "");
    write(`${pageServerOf(MOVE)}.pid`, "1");
    write(`${pageServerOf(MOVE)}.exit`, "0");
    const given = new AbortController();
    for (const { stdout } of others) stdout?.once("data", () => given.abort(stop));
    await restore(host, command, giveFiles, async () => false, given.signal, limits).catch((error: unknown) => {
      if (error !== stop) throw error;
    });
  }
  const noted = (container: string) => write(move.filesFor, `${container}\n`);

  test("goes to the container that has the files; one that comes while they are copied gets them first", async () => {
    const given: string[] = [];
    const [first, second] = [createWaits("c1", 1), createWaits("c2", 2)];
    rmSync(host.path(join(move.waiting, "c2.pid")));
    await restored(async (container) => {
      if (container === "c1") write(join(move.waiting, "c2.pid"), `${second.child.pid}\n`);
      given.push(container);
      noted(container);
    });
    expect(given).toEqual(["c1", "c2"]);
    expect(await second.word).toBe("restore\n");
    first.child.kill("SIGKILL");
    expect(await first.word).toBe("");
  });

  test("is not given to a container whose files have not been noted", async () => {
    const { word } = createWaits("c1", 1);
    let asked = 0;
    await restored(async (container) => {
      asked += 1;
      if (asked === 3) noted(container);
    });
    expect([await word, asked]).toEqual(["restore\n", 3]);
  });

  test("is not given when the files cannot be copied into the container that waits", async () => {
    const { word, child: waiting } = createWaits("c1", 1);
    const failed = restored(() => Promise.reject(new AgentError("RestoreFailed", "no space")));
    await expect(failed).rejects.toMatchObject({ reason: "RestoreFailed", message: "no space" });
    waiting.kill("SIGKILL");
    expect(await word).toBe("");
  });

  test("waits for another container when the files cannot be copied because the first has ended", async () => {
    const first = createWaits("c1", 1);
    let second: Promise<string> | undefined;
    await restored(async (container) => {
      if (container === "c2") return noted("c2");
      first.child.kill("SIGKILL");
      await once(first.child, "exit");
      const next = createWaits("c2", 2);
      next.child.stdout?.once("data", () => undefined);
      second = next.word;
      throw new AgentError("RestoreFailed", "its root file system is gone");
    }).catch((error: unknown) => expect(error).toMatchObject({ reason: "RestoreFailed" }));
    expect(await second).toBe("restore\n");
  });
});

describe("a copy that has died", () => {
  const GROUP = "/sys/fs/cgroup/devices/pod/c1";
  const marks = [move.restorePid, move.restoreExit, registrationOf(POD).claimed, move.filesFor, move.volumesFilled];
  const again = () => forgetDeadCopy(host, { ...command, again: true }, new AbortController().signal);

  /** Restored in `c1`, whose processes are these. */
  function copy(pids: readonly number[]): void {
    const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
    const state = { init_process_pid: child.pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
    write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
    write(`${GROUP}/cgroup.procs`, pids.map((pid) => `${pid}\n`).join(""));
    for (const mark of marks) write(mark, "c1\n");
    write(move.restorePid, "4194305 c1\n"); // no Linux numbers a process so high
    write(move.restoreExit, "0\n");
    write(move.imagesComplete, "");
    write(startMarkOf("c1"), "");
  }
  const left = () => marks.filter((mark) => existsSync(host.path(mark)));

  test("is told as CopyDead when it is asked for again", async () => {
    copy([]);
    const restoring = restore(
      host,
      command,
      async () => undefined,
      async () => false,
      new AbortController().signal,
      {
        createMs: 1,
        restoreMs: 1,
        startMs: 1,
      },
    );
    await expect(restoring).rejects.toMatchObject({ reason: "CopyDead" });
  });

  test("makes way for another restore, which gets its word and its files as the first did", async () => {
    copy([]);
    await again();
    expect([left(), existsSync(host.path(startMarkOf("c1")))]).toEqual([[], false]);
    expect(existsSync(host.path(move.imagesComplete))).toBe(true);
  });

  test("does so too when the restore itself was killed", async () => {
    copy([]);
    rmSync(host.path(move.restoreExit));
    await again();
    expect(left()).toEqual([]);
  });

  test.each<[string, () => void, object]>([
    ["it was released", () => write(registrationOf(POD).released, ""), { reason: "RestoreFailed" }],
    ["the move was rolled back", () => write(registrationOf(POD).aborted, ""), { reason: "RestoreFailed" }],
    ["its images are gone", () => rmSync(host.path(move.imagesComplete)), { reason: "CopyDead" }],
  ])("is left as it is when %s", async (_why, make, expected) => {
    copy([]);
    make();
    await expect(again()).rejects.toMatchObject(expected);
    expect(left()).toEqual(marks);
  });

  test("is not one that lives: a command that is repeated finds the new copy held", async () => {
    copy([child.pid ?? 0]);
    await again();
    expect(left()).toEqual(marks);
  });

  test("takes with it what still serves its memory, whose failure must not hit the next container", async () => {
    host = { ...host, command: ([file = "true", ...args]) => ({ file, args: args.map((arg) => hostPath(arg)) }) };
    copy([]);
    const mark = join(root, "killed");
    const name = join(move.directory, "lazy-pages");
    await startDetached(host, { name, argv: ["sleep", "60"], groups: [], onFailure: `echo >${mark}` });
    await until(() => Number(readIfThere(host.path(`${name}.pid`)) ?? 0) > 0, "it to run");
    const pid = Number(readIfThere(host.path(`${name}.pid`)));
    await again();
    await until(() => !isAlive(pid), "it to end");
    expect([existsSync(mark), existsSync(host.path(`${name}.pid`))]).toEqual([false, false]);
  });
});

const hostPath = (word: string): string => (word.startsWith("/run/") ? host.path(word) : word);

describe("a copy that containerd has not started", () => {
  const GROUP = "/sys/fs/cgroup/devices/pod/c1";
  const inGroup = (...pids: number[]) => write(`${GROUP}/cgroup.procs`, pids.map((pid) => `${pid}\n`).join(""));

  /** It is held; the wrapper's mark for containerd's `start` is there. */
  async function restoring(startMs: number): Promise<unknown> {
    const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
    const state = { init_process_pid: child.pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
    write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
    write(registrationOf(POD).claimed, "");
    write(move.restorePid, "4194305 c1\n");
    write(move.restoreExit, "0\n");
    write(startMarkOf("c1"), "");
    inGroup(child.pid ?? 0);
    child.kill("SIGSTOP");
    const limits = { createMs: 1, restoreMs: 1000, startMs };
    return restore(
      host,
      command,
      async () => undefined,
      async () => false,
      new AbortController().signal,
      limits,
    );
  }

  test("is not told as held before it is", async () => {
    let told = false;
    const done = restoring(10_000).finally(() => {
      told = true;
    });
    await sleep(50);
    expect(told).toBe(false);
    rmSync(host.path(startMarkOf("c1")));
    expect(await done).toMatchObject({ containerID: "c1" });
  });

  test("is dead when containerd deletes it", async () => {
    const done = restoring(10_000);
    await sleep(20);
    inGroup();
    await expect(done).rejects.toMatchObject({ reason: "CopyDead" });
  });

  test("is killed when it is not started in time: its create was broken off, and containerd would delete it", async () => {
    const ended = once(child, "exit").then(() => inGroup());
    await expect(restoring(20)).rejects.toMatchObject({ reason: "CopyDead" });
    await ended;
    expect(existsSync(host.path(startMarkOf("c1")))).toBe(false);
  });
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
