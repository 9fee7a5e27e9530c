import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isHeld, killTree, runsWith, waitsForChild } from "../../../src/agent/host/processes.ts";

const withArgument = (argument: string): number[] =>
  readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => runsWith(pid, argument));

describe("a tree of processes", () => {
  test("is killed with those that are born meanwhile", async () => {
    const seconds = `60.${process.pid}`;
    // 300 at most, each by a shell of its own, which ends at once or lives on.
    const script = `i=0; while [ $i -lt 300 ]; do sh -c "sleep ${seconds}; true" & i=$((i + 1)); done; wait`;
    const parent = spawn("sh", ["-c", script, "sh"]);
    while (withArgument(seconds).length < 5) await sleep(1);
    killTree(parent.pid ?? 0);
    await sleep(100); // what was left would go on, and start others
    expect(withArgument(seconds)).toEqual([]);
  });

  test("that has ended already is no error", async () => {
    const ended = spawn("true");
    await new Promise((resolve) => ended.once("exit", resolve));
    expect(() => killTree(ended.pid ?? 0)).not.toThrow();
  });
});

describe("a stopped process", () => {
  /** A shell that never reaps its child. */
  async function startChild(): Promise<{ parent: ChildProcess; child: number }> {
    const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    const [text] = (await once(parent.stdout as Readable, "data")) as [Buffer];
    return { parent, child: Number(text) };
  }

  test("is held until it is killed: neither a zombie nor one that is gone can go on", async () => {
    const { parent, child } = await startChild();
    const waitUntil = async (state: string): Promise<void> => {
      while (stateOf(child) !== state) await sleep(1);
    };
    try {
      expect(isHeld(child)).toBe(false);
      process.kill(child, "SIGSTOP");
      await waitUntil("T");
      expect(isHeld(child)).toBe(true);
      process.kill(child, "SIGKILL");
      expect(isHeld(child)).toBe(false);
      await waitUntil("Z");
      expect(isHeld(child)).toBe(false);
    } finally {
      process.kill(child, "SIGKILL");
      parent.kill("SIGKILL");
      await once(parent, "exit");
    }
    expect(isHeld(parent.pid ?? 0)).toBe(false);
  });
});

const stateOf = (pid: number): string | undefined => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0];

const [VFORK, EXIT] = [58, 60];
const canVfork = process.platform === "linux" && process.arch === "x64";
test.skipIf(!canVfork)("a process that has begun a child by vfork waits for it", async () => {
  const script = `syscall(${VFORK}) == 0 and do { select(undef, undef, undef, 1); syscall(${EXIT}, 0) }; sleep 60`;
  const parent = spawn("perl", ["-e", script], { stdio: "ignore" });
  const pid = parent.pid ?? 0;
  try {
    for (const end = Date.now() + 5_000; Date.now() < end && !waitsForChild(pid); ) await sleep(5);
    expect(waitsForChild(pid)).toBe(true);
    expect(waitsForChild(process.pid)).toBe(false);
    for (const end = Date.now() + 5_000; Date.now() < end && waitsForChild(pid); ) await sleep(5);
    expect(waitsForChild(pid)).toBe(false);
  } finally {
    parent.kill("SIGKILL");
  }
});
