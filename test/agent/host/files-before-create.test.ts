/** The files of a move come before containerd has asked for the target's container: a long transfer begins long before that. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { HostRuntime } from "../../../src/agent/host/host-runtime.ts";
import { expectedFiles } from "../../../src/agent/host/landing.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";

// The staging area is a mount, which takes root.
vi.mock("../../../src/agent/host/staging.ts", async (original) => ({
  ...(await original<object>()),
  isMounted: () => true,
}));

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const move = targetMoveOf(MOVE);

let root: string;
let host: Host;

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = {
    path: (path) => join(root, path),
    command: ([file = "", ...args]) => ({ file, args }),
    environment: () => ({}),
  };
  const greeting = { sourceDigest: "00", target: "00" };
  const receiving = { port: 1, sourceAddress: "127.0.0.1", stagingBytes: 1, emptyDirs: [], totalBytes: 1, greeting };
  write(move.receiving, JSON.stringify(receiving));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("and lands whole, however long no container waits for it", async () => {
  const runtime = new HostRuntime({
    host,
    criu: undefined,
    preparation: { turn: { state: "none" }, begin: () => ({ state: "none" }) },
    verdicts: () => [],
    agentVersion: "0",
    nodeAddress: "127.0.0.1",
    stagingBudget: { bytes: 1 },
    dumpMs: 1,
    handler: async () => ({ installed: true }),
    restore: { createMs: 50, restoreMs: 1, startMs: 1 },
    warn: () => {},
  });
  const content = "x".repeat(100_000);
  await runtime.acceptFiles(MOVE, { part: "layer" }, Readable.from([content]), new AbortController().signal);
  expect(readFileSync(host.path(expectedFiles(MOVE, []).layer), "utf8")).toBe(content);
  expect(runtime.createWaiting(MOVE)).toBe(false);
});
