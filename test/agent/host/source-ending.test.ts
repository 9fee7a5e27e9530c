import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { sourceMoveOf } from "../../../src/agent/host/layout.ts";
import { resumeSource } from "../../../src/agent/host/source-ending.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const GROUP = "/sys/fs/cgroup/freezer/pod/c1";
const command = { moveUID: MOVE, epoch: 1, source: { podUID: "p", containerID: "c1", containerName: "c" } };

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

function container(freezer: "FROZEN" | "THAWED"): void {
  const paths = { freezer: GROUP, devices: GROUP, memory: GROUP };
  const state = { init_process_pid: process.pid, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
  write("/run/containerd/runc/k8s.io/c1/state.json", JSON.stringify(state));
  write(`${GROUP}/freezer.state`, freezer);
}

const noted = () => write(sourceMoveOf(MOVE).frozen, JSON.stringify({ frozenAtMs: 7, pid: process.pid }));
const dumpStarted = () => write(`${sourceMoveOf(MOVE).program}.pid`, "1");

describe("a source that goes on", () => {
  test.each<[string, () => void]>([
    ["stands frozen", () => container("FROZEN")],
    // CRIU holds the tasks by itself while it dumps them.
    [
      "was being dumped",
      () => {
        container("THAWED");
        dumpStarted();
      },
    ],
    ["ended while it was dumped", () => dumpStarted()],
  ])("tells since when it was frozen: it %s", async (_what, prepare) => {
    prepare();
    noted();
    const beforeMs = Date.now();
    const { freeze } = await resumeSource(host, command);
    expect(freeze?.frozenAtMs).toBe(7);
    expect(freeze?.resumedAtMs).toBeGreaterThanOrEqual(beforeMs);
  });

  test.each<[string, () => void]>([
    ["its dump had not come so far", () => {}],
    ["its agent died between the note and the pause", () => noted()],
  ])("was never frozen when %s", async (_what, prepare) => {
    container("THAWED");
    prepare();
    expect(await resumeSource(host, command)).toEqual({});
  });

  test("is thawed though the note is damaged", async () => {
    container("FROZEN");
    write(sourceMoveOf(MOVE).frozen, '{"frozenAt');
    expect(await resumeSource(host, command)).toEqual({});
    expect(readFileSync(host.path(`${GROUP}/freezer.state`), "utf8")).toBe("THAWED");
  });
});
