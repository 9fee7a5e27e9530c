import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packEntries, packFolder, unpack } from "../../../src/agent/host/archives.ts";
import { bundleImages, unbundleImages } from "../../../src/agent/host/image-bundle.ts";
import { listLayer, removeDeleted } from "../../../src/agent/host/writable-layer.ts";

let root: string;
const at = (...path: string[]) => join(root, ...path);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "travel-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Files by path; undefined is a folder. */
function make(folder: string, files: Record<string, string | undefined>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(at(folder, path, ".."), { recursive: true });
    if (content === undefined) mkdirSync(at(folder, path), { recursive: true });
    else writeFileSync(at(folder, path), content);
  }
}

function tree(folder: string): string[] {
  const listed = execFileSync("find", [".", "-mindepth", "1", "-printf", "%y %P\\n"], {
    cwd: at(folder),
    encoding: "utf8",
  });
  return listed.trim().split("\n").filter(Boolean).sort();
}

async function travel(): Promise<void> {
  const { manifest, entries } = listLayer(at("upper"), at("merged"));
  removeDeleted(at("target"), manifest);
  const archive = packEntries(at("upper"), entries);
  await Promise.all([unpack(at("target"), archive.stream), archive.done]);
}

describe("a writable layer", () => {
  const image = {
    "etc/hosts": "image",
    "etc/old": "image",
    "opt/app/a": "image",
    "opt/app/b": "image",
    "usr/bin/tool": "image",
  };

  test("makes the target's root what the source's was: changes, additions and deletions", async () => {
    make("target", image);
    // What overlayfs shows: `old` is deleted (a whiteout in upper), `opt/app` was made anew (opaque), `etc/hosts` changed.
    make("upper", { "etc/hosts": "changed", "etc/old": "whiteout", "opt/app/c": "new", "var/log/app.log": "line" });
    make("merged", { "etc/hosts": "changed", "opt/app/c": "new", "var/log/app.log": "line", "usr/bin/tool": "image" });
    await travel();
    expect(tree("target")).toEqual(tree("merged"));
    expect(readFileSync(at("target/etc/hosts"), "utf8")).toBe("changed");
    expect(readFileSync(at("target/usr/bin/tool"), "utf8")).toBe("image");
  });

  test("a file that became a folder, and a folder that became a file", async () => {
    make("target", { a: "file", "b/in": "folder" });
    make("upper", { "a/in": "now a folder", b: "now a file" });
    make("merged", { "a/in": "now a folder", b: "now a file" });
    await travel();
    expect(tree("target")).toEqual(["d a", "f a/in", "f b"]);
  });

  test("a symbolic link where the source has a folder is replaced, not followed", async () => {
    make("outside", { keep: "precious" });
    make("target", { x: "x" });
    symlinkSync(at("outside"), at("target/data"));
    make("upper", { "data/new": "n" });
    make("merged", { "data/new": "n", x: "x" });
    await travel();
    expect(readFileSync(at("outside/keep"), "utf8")).toBe("precious");
    expect(existsSync(at("outside/new"))).toBe(false);
    expect(tree("target")).toEqual(["d data", "f data/new", "f x"]);
  });

  test("that is empty changes nothing", async () => {
    make("target", image);
    make("merged", image);
    make("upper", { ".": undefined });
    await travel();
    expect(tree("target")).toEqual(tree("merged"));
  });
});

describe("a tar", () => {
  test("keeps modes, times, links and sparse files", async () => {
    make("from", { run: "#!/bin/sh", sparse: "" });
    chmodSync(at("from/run"), 0o4755);
    linkSync(at("from/run"), at("from/hard"));
    symlinkSync("/run/secret", at("from/soft"));
    execFileSync("truncate", ["-s", "64M", at("from/sparse")]);
    make("to", { ".": undefined });
    const archive = packFolder(at("from"));
    await Promise.all([unpack(at("to"), archive.stream), archive.done]);
    expect(statSync(at("to/run")).mode & 0o7777).toBe(0o4755);
    expect(statSync(at("to/run")).ino).toBe(statSync(at("to/hard")).ino);
    expect(readlinkSync(at("to/soft"))).toBe("/run/secret");
    expect(lstatSync(at("to/run")).mtimeMs).toBeCloseTo(lstatSync(at("from/run")).mtimeMs, 0);
    expect(statSync(at("to/sparse"))).toMatchObject({ size: 64 << 20, blocks: 0 });
  });

  test("that is cut short is an error", async () => {
    make("from", { big: "x".repeat(200_000) });
    make("to", { ".": undefined });
    const whole = await buffer(packFolder(at("from")).stream);
    await expect(unpack(at("to"), Readable.from([whole.subarray(0, 100_000)]))).rejects.toThrow(/tar/);
  });

  test("of which the sender goes away is an error, even at a file's end", async () => {
    make("to", { ".": undefined });
    const body = new Readable({ read() {} });
    const unpacked = unpack(at("to"), body);
    body.push(Buffer.alloc(512));
    body.destroy(new Error("connection reset"));
    await expect(unpacked).rejects.toThrow(/connection reset/);
  });
});

describe("a bundle of images", () => {
  test("comes back file by file", async () => {
    make("images", { "core-1.img": "\0binary\n", "descriptors.json": "[]", "empty.img": "" });
    make("copy", { ".": undefined });
    const { bytes, body } = bundleImages(at("images"));
    const whole = await buffer(body);
    expect(whole.length).toBe(bytes);
    const pieces = Array.from({ length: Math.ceil(whole.length / 7) }, (_, n) => whole.subarray(7 * n, 7 * n + 7));
    await unbundleImages(at("copy"), Readable.from(pieces));
    expect(tree("copy")).toEqual(tree("images"));
    expect(readFileSync(at("copy/core-1.img"), "utf8")).toBe("\0binary\n");
  });

  test("with large ones is written by processes of the move's group, and goes out in pieces", async () => {
    make("images", { "ghost-1.img": "x".repeat(40 << 20), "core-1.img": "core", "empty.img": "" });
    make("copy", { ".": undefined });
    make("group", { "cgroup.procs": "" });
    const { body } = bundleImages(at("images"));
    const sizes: number[] = [];
    const seen = body.map((piece: Buffer) => sizes.push(piece.length) && piece);
    await unbundleImages(at("copy"), seen, [at("group/cgroup.procs")]);
    expect(tree("copy")).toEqual(tree("images"));
    expect(readFileSync(at("copy/core-1.img"), "utf8")).toBe("core");
    expect(Number(readFileSync(at("group/cgroup.procs"), "utf8"))).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThan(3 << 20);
  });

  test("with a large one that is cut short leaves nothing", async () => {
    make("copy", { ".": undefined });
    make("group", { "cgroup.procs": "" });
    const body = Readable.from([Buffer.from(`[{"name":"a","size":${64 << 20}}]\nx`)]);
    await expect(unbundleImages(at("copy"), body, [at("group/cgroup.procs")])).rejects.toThrow(/cut short/);
    expect(tree("copy")).toEqual([]);
  });

  test.each([
    ["a path", `[{"name":"../etc/passwd","size":1}]\nx`],
    ["a hidden file", `[{"name":".ssh","size":1}]\nx`],
    ["more than there is", `[{"name":"a","size":5}]\nx`],
    ["nothing", ""],
  ])("that names %s is refused, and leaves nothing", async (_what, body) => {
    make("copy", { ".": undefined });
    await expect(unbundleImages(at("copy"), Readable.from([Buffer.from(body)]))).rejects.toThrow();
    expect(tree("copy")).toEqual([]);
  });

  test("of which the sender goes away leaves nothing", async () => {
    make("copy", { ".": undefined });
    const body = new Readable({ read() {} });
    const unbundled = unbundleImages(at("copy"), body);
    body.push('[{"name":"a","size":1},{"name":"b","size":5}]\nxy');
    while (tree("copy").length < 2) await new Promise(setImmediate);
    body.destroy(new Error("connection reset"));
    await expect(unbundled).rejects.toThrow(/connection reset/);
    expect(tree("copy")).toEqual([]);
  });
});
