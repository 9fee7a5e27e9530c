/** The files of a move come before containerd has asked for the target's container: a long transfer begins long before that. */
import { readFileSync, rmSync } from "node:fs";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Host } from "../../../src/agent/host/host.ts";
import { expectedFiles } from "../../../src/agent/host/landing.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";
import { hostRuntimeOn } from "../../support/agent/host-runtime.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";

// The staging area is a mount, which takes root.
vi.mock("../../../src/agent/host/staging.ts", async (original) => ({
  ...(await original<object>()),
  isMounted: () => true,
}));

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const move = targetMoveOf(MOVE);

let node: NodeFolder;

beforeEach(() => {
  node = nodeFolder();
  const greeting = { sourceDigest: "00", target: "00" };
  const receiving = { port: 1, sourceAddress: "127.0.0.1", stagingBytes: 1, emptyDirs: [], totalBytes: 1, greeting };
  node.write(move.receiving, JSON.stringify(receiving));
});
afterEach(() => rmSync(node.root, { recursive: true, force: true }));

test("and lands whole, however long no container waits for it", async () => {
  const host: Host = { ...node.host, command: ([file = "", ...args]) => ({ file, args }) };
  const runtime = hostRuntimeOn(host);
  const content = "x".repeat(100_000);
  await runtime.acceptFiles(MOVE, { part: "layer" }, Readable.from([content]), new AbortController().signal);
  expect(readFileSync(host.path(expectedFiles(MOVE, []).layer), "utf8")).toBe(content);
  expect(runtime.createWaiting(MOVE)).toBe(false);
});
