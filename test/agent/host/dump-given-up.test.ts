import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { sourceMoveOf } from "../../../src/agent/host/layout.ts";
import { resumeSource } from "../../../src/agent/host/source-ending.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const source = { podUID: "p", containerID: "c1", containerName: "app" };
const { program } = sourceMoveOf(MOVE);

let root: string;
let host: Host;

beforeEach(() => {
  vi.useFakeTimers();
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
  mkdirSync(dirname(host.path(program)), { recursive: true });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true, force: true });
});

test.each([
  ["as soon as the dump has ended", 100, 150],
  ["after a second and a half at the latest", 60_000, 1_600],
])(
  "a dump that is given up cures its tasks before it is killed; the source goes on %s",
  async (_when, endsMs, byMs) => {
    writeFileSync(host.path(`${program}.pid`), `${process.pid}\n`);
    setTimeout(() => writeFileSync(host.path(`${program}.exit`), "1\n"), endsMs);
    let resumed = false;
    const resuming = resumeSource(host, { moveUID: MOVE, epoch: 1, source }).then(() => {
      resumed = true;
    });
    await vi.advanceTimersByTimeAsync(Math.min(endsMs, 1_400) - 10);
    expect(resumed).toBe(false);
    await vi.advanceTimersByTimeAsync(byMs);
    await resuming;
  },
);

test("a source that was never dumped goes on immediately", async () => {
  await resumeSource(host, { moveUID: MOVE, epoch: 1, source });
});
