import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { sourceMoveOf } from "../../../src/agent/host/layout.ts";
import { SourceGuard } from "../../../src/agent/host/source-guard.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const FROZEN = "a".repeat(64);
const SANDBOX = "b".repeat(64);
const NEWBORN = "c".repeat(64);
const source = { moveUID: MOVE, podUID: POD, containerID: FROZEN, dumped: false };

/** Where a pod's group and its containers' groups are, by cgroup version and driver. */
const LAYOUTS = [
  {
    name: "version 1, cgroupfs",
    pod: `/sys/fs/cgroup/freezer/kubepods/burstable/pod${POD}`,
    container: (id: string) => id,
    state: "freezer.state",
    frozen: "FROZEN",
    thawed: "THAWED",
  },
  {
    name: "version 2, systemd",
    pod: `/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD.replaceAll("-", "_")}.slice`,
    container: (id: string) => `cri-containerd-${id}.scope`,
    state: "cgroup.freeze",
    frozen: "1",
    thawed: "0",
  },
];

let root: string;
let host: Host;
let guard: SourceGuard;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
});
afterEach(async () => {
  guard.release(MOVE, POD);
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

describe.each(LAYOUTS)("the pod of a frozen source ($name)", ({ pod, container, state, frozen, thawed }) => {
  /** A container of the pod, as containerd and the kernel show it. */
  function born(id: string, kind: "container" | "sandbox"): ChildProcess {
    const child = spawn("sleep", ["60"]);
    children.push(child);
    write(`${join(pod, container(id))}/cgroup.procs`, `${child.pid}\n`);
    const config = { annotations: { "io.kubernetes.cri.container-type": kind } };
    write(`/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/config.json`, JSON.stringify(config));
    return child;
  }

  const podIs = () => readFileSync(host.path(join(pod, state)), "utf8").trim();
  const lives = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;
  let init: ChildProcess;
  let sandbox: ChildProcess;

  function froze(): void {
    const group = join(pod, container(FROZEN));
    write(sourceMoveOf(MOVE).frozen, JSON.stringify({ frozenAtMs: 1, pid: init.pid, group }));
  }

  /** The kubelet, or the out-of-memory killer. */
  function endFrozen(): void {
    write(join(pod, container(FROZEN), "cgroup.procs"), "");
  }

  beforeEach(() => {
    if (state === "cgroup.freeze") {
      write("/sys/fs/cgroup/cgroup.controllers", "memory\n");
      write(join(pod, "cgroup.events"), "populated 1\nfrozen 0\n");
    }
    write(join(pod, state), thawed);
    init = born(FROZEN, "container");
    sandbox = born(SANDBOX, "sandbox");
    guard = new SourceGuard(host, () => {});
    guard.watch(source);
  });

  test("is left alone as long as its frozen container is there, so that its kubelet can end that", () => {
    froze();
    guard.look();
    expect([podIs(), lives(init), lives(sandbox), guard.ended(MOVE)]).toEqual([thawed, true, true, 0]);
  });

  test("is thawed though the note of the freeze is damaged: the source is about to go on", () => {
    froze();
    endFrozen();
    guard.look();
    write(sourceMoveOf(MOVE).frozen, "{");
    expect(() => guard.release(MOVE, POD)).not.toThrow();
    expect(podIs()).toBe(thawed);
  });

  test("is frozen once that container is gone: what is born in it never comes to its first instruction", () => {
    froze();
    endFrozen();
    guard.look();
    expect(podIs()).toBe(frozen);
  });

  test("has no other container that lives", async () => {
    froze();
    endFrozen();
    const newborn = born(NEWBORN, "container");
    const ended = once(newborn, "exit");
    guard.look();
    guard.look();
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect([lives(sandbox), guard.ended(MOVE)]).toEqual([true, 1]);
  });

  describe("when an agent is back, after a restart of the node", () => {
    let started: ChildProcess;

    beforeEach(() => {
      guard.release(MOVE, POD);
      endFrozen();
      started = born(NEWBORN, "container");
      guard = new SourceGuard(host, () => {});
      guard.resume({ ...source, dumped: true });
    });

    test("has a container that has run already frozen, not ended", () => {
      guard.look();
      expect([podIs(), lives(started), guard.ended(MOVE)]).toEqual([frozen, true, 0]);
    });

    test("lets it go on when the move is rolled back", () => {
      guard.release(MOVE, POD);
      expect([podIs(), lives(started)]).toEqual([thawed, true]);
    });

    test("has the next container ended at birth", async () => {
      const next = born("d".repeat(64), "container");
      const ended = once(next, "exit");
      guard.look();
      expect(await ended).toEqual([null, "SIGKILL"]);
      expect([lives(started), guard.ended(MOVE)]).toEqual([true, 1]);
    });
  });

  test("is not touched before the freeze", () => {
    endFrozen();
    const newborn = born(NEWBORN, "container");
    guard.look();
    expect([podIs(), lives(newborn)]).toEqual([thawed, true]);
  });

  test("goes on as it likes once the source is resumed or cleaned up", () => {
    froze();
    endFrozen();
    guard.look();
    guard.release(MOVE, POD);
    const newborn = born(NEWBORN, "container");
    guard.look();
    expect([podIs(), lives(newborn), guard.ended(MOVE)]).toEqual([thawed, true, undefined]);
  });

  test("is thawed by an agent that does not know any more that it was frozen", () => {
    froze();
    endFrozen();
    guard.look();
    new SourceGuard(host, () => {}).release(MOVE, POD);
    expect(podIs()).toBe(thawed);
  });

  test.each([
    ["a whole dump", true, frozen],
    ["half a dump, which is rolled back", false, thawed],
  ])("is found by its UID after a restart of the node, with %s", async (_what, dumped, is) => {
    guard.release(MOVE, POD);
    guard = new SourceGuard(host, () => {});
    guard.watch({ ...source, dumped });
    endFrozen();
    guard.look();
    expect(podIs()).toBe(is);
  });
});

test("a container outside of Kubernetes has no pod to guard", () => {
  const group = "/sys/fs/cgroup/freezer/mine/c1";
  write(sourceMoveOf(MOVE).frozen, JSON.stringify({ frozenAtMs: 1, pid: 1, group }));
  guard = new SourceGuard(host, () => {});
  guard.watch(source);
  guard.look();
  expect(existsSync(host.path(join(dirname(group), "freezer.state")))).toBe(false);
});
