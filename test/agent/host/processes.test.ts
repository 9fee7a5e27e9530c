import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { killTree, runsWith } from "../../../src/agent/host/processes.ts";

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
