import { rmSync } from "node:fs";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sendFiles } from "../../../src/agent/host/file-sending.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { folderObstacle } from "../../../src/agent/host/source-facts.ts";
import type { Peer } from "../../../src/agent/node-runtime.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";

let folder: NodeFolder;
let host: Host;

beforeEach(() => {
  folder = nodeFolder();
  host = {
    ...folder.host,
    command: ([file = "true", ...args]) => ({ file, args }),
    environment: (extra = {}) => ({ PATH: process.env.PATH, ...extra }),
  };
  for (const path of ["/upper/file", "/merged/file", "/data/file"]) folder.write(path, "content");
});
afterEach(() => rmSync(folder.root, { recursive: true, force: true }));

const peer = (put: (body: Readable) => Promise<void>): Peer => ({
  open: async () => undefined,
  measure: async () => ({ bytesPerSecond: 1e9, atLeast: true }),
  put: async (_, body) => await put(body instanceof Readable ? body : Readable.from([body])),
  close: async () => undefined,
});
const takesAll = peer(async (body) => void (await buffer(body)));

const send = (to: Peer, directory = "/data") => {
  const files = { upper: "/upper", merged: "/merged", emptyDirs: [{ name: "data", directory }] };
  return sendFiles({ host, procs: [] }, files, to, new AbortController().signal);
};

describe("a container's files", () => {
  test("are sent, and their size is told", async () => {
    expect(await send(takesAll)).toBeGreaterThan(0);
  });

  test("that cannot be read here are not tried again: the container is frozen meanwhile", async () => {
    await expect(send(takesAll, "/gone")).rejects.toMatchObject({
      reason: "SendFailed",
      retryable: false,
      message: expect.stringContaining("/gone"),
    });
  });

  test("that the peer did not get are tried again", async () => {
    const cutOff = peer(async () => {
      throw new Error("connection reset");
    });
    await expect(send(cutOff)).rejects.toMatchObject({ reason: "SendFailed", retryable: true });
  });

  test.each([
    ["/data", []],
    [
      "/gone",
      [{ reason: "FilesUnreadable", message: expect.stringMatching(/files in \/gone cannot be read: ENOENT/) }],
    ],
    ["/data/file", [{ reason: "FilesUnreadable", message: expect.stringMatching(/ENOTDIR/) }]],
  ])("in %s are looked for before the freeze", (path, obstacles) => {
    expect(folderObstacle(host, path)).toEqual(obstacles);
  });
});
