/** What keeps the agent running: it is started again at once, unless it was told to end or ends as soon as it is started. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readIfThere } from "../../src/agent/host/files.ts";
import { until } from "../support/until.ts";

const SCRIPT = new URL("../../src/agent/keep-running.sh", import.meta.url).pathname;
let folder: string;
let started: ChildProcess;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kept-"));
});
afterEach(() => {
  started.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** `program` is a shell's; it notes its process id first. */
function keep(program: string, minSeconds: number): void {
  const script = `echo $$ >> ${join(folder, "pids")}; ${program}`;
  const env = { ...process.env, HEADROOM_MIN_SECONDS: String(minSeconds) };
  started = spawn("sh", [SCRIPT, "sh", "-c", script], { stdio: "ignore", env });
}
/** The file is there for a moment before its first line is. */
function pids(): number[] {
  const lines = (readIfThere(join(folder, "pids")) ?? "").split("\n");
  return lines.filter(Boolean).map(Number);
}

describe("the agent's program", () => {
  test("is started again when it was killed", async () => {
    keep("exec sleep 60", 0);
    await until(() => pids().length === 1, "it to start");
    for (const pid of pids()) process.kill(pid, "SIGKILL");
    await until(() => pids().length === 2, "it to start again");
    started.kill("SIGTERM");
    await once(started, "exit");
  });

  test("receives SIGTERM, and its exit code becomes the container's", async () => {
    keep("trap 'exit 7' TERM; while :; do sleep 0.05; done", 0);
    await until(() => pids().length === 1, "it to start");
    await new Promise((resolve) => setTimeout(resolve, 100)); // its own trap
    started.kill("SIGTERM");
    expect(await once(started, "exit")).toEqual([7, null]);
    expect(pids()).toHaveLength(1);
  });

  test("that ends as soon as it is started is left to the kubelet", async () => {
    keep("exit 2", 10);
    expect(await once(started, "exit")).toEqual([2, null]);
    expect(pids()).toHaveLength(1);
  });
});
