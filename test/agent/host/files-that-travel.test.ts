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
import { finished } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Archive, packFolder, unpack } from "../../../src/agent/host/archives.ts";
import type { Group } from "../../../src/agent/host/grouped.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { bundleImages, unbundleImages } from "../../../src/agent/host/image-bundle.ts";
import { land, landedFile, removeForgotten } from "../../../src/agent/host/landing.ts";
import { packLayer, removeDeleted } from "../../../src/agent/host/writable-layer.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

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

/** Programs run as they are, in no group. */
const host: Host = {
  path: (path) => path,
  command: ([file = "true", ...args]) => ({ file, args }),
  environment: (extra = {}) => ({ PATH: process.env.PATH, ...extra }),
};
const group = { host, procs: [] };

async function store(file: string, { stream, done }: Archive): Promise<string> {
  await Promise.all([land(group, at(file), stream), done]);
  return at(file);
}

async function pack(): Promise<{ listing: string; layer: string }> {
  const { listing, files } = packLayer(group, at("upper"), at("merged"));
  const [first, second] = await Promise.all([store("landed/listing", listing), store("landed/layer", files)]);
  return { listing: first, layer: second };
}

async function travel(): Promise<void> {
  const { listing, layer } = await pack();
  await removeDeleted(group, at("target"), listing);
  await unpack(group, at("target"), layer);
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

  test("a link where the listing has folders leads nowhere, however deep they are", async () => {
    make("outside", { "sub/keep": "precious" });
    make("target", { x: "x" });
    symlinkSync(at("outside"), at("target/evil"));
    const records = ["F.", "Kx", "F./evil", "Ssub", "F./evil/sub", "F../outside", "F./../outside/sub", ""];
    writeFileSync(at("listing"), records.join("\0"));
    await removeDeleted(group, at("target"), at("listing"));
    expect(readFileSync(at("outside/sub/keep"), "utf8")).toBe("precious");
    expect(tree("target")).toEqual(["f x"]);
  });

  test.each(["", "F./a", "X"])("a listing that is none (%j) is an error", async (text) => {
    make("target", image);
    writeFileSync(at("listing"), text && `${text}\0X\0`);
    await expect(removeDeleted(group, at("target"), at("listing"))).rejects.toThrow(/not a listing/);
    expect(tree("target")).toContain("f usr/bin/tool");
  });

  test("names may be any bytes but a slash and NUL", async () => {
    const odd = Buffer.from("ab\n\\\xff 'x", "latin1");
    const inside = (folder: string) => Buffer.concat([Buffer.from(`${at(folder)}/`), odd]);
    for (const folder of ["upper", "merged", "target"]) make(folder, { ".": undefined });
    for (const folder of ["upper", "merged"]) writeFileSync(inside(folder), folder);
    await travel();
    expect(readFileSync(inside("target"), "utf8")).toBe("upper");
  });

  test("of which a folder cannot be read is an error, not a shorter layer", async () => {
    make("upper", { a: "a", "b/c": "c" });
    make("merged", { a: "a", b: "not the folder that it has to be" });
    const { listing, files } = packLayer(group, at("upper"), at("merged"));
    listing.stream.resume();
    files.stream.resume();
    await expect(listing.done).rejects.toThrow(/Not a directory/);
    await expect(files.done).rejects.toThrow(/Not a directory/);
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
    await unpack(group, at("to"), await store("tar", packFolder(group, at("from"))));
    expect(statSync(at("to/run")).mode & 0o7777).toBe(0o4755);
    expect(statSync(at("to/run")).ino).toBe(statSync(at("to/hard")).ino);
    expect(readlinkSync(at("to/soft"))).toBe("/run/secret");
    expect(lstatSync(at("to/run")).mtimeMs).toBeCloseTo(lstatSync(at("from/run")).mtimeMs, 0);
    expect(statSync(at("to/sparse"))).toMatchObject({ size: 64 << 20, blocks: 0 });
  });

  test("that is cut short is an error", async () => {
    make("from", { big: "x".repeat(200_000) });
    make("to", { ".": undefined });
    const whole = await buffer(packFolder(group, at("from")).stream);
    writeFileSync(at("tar"), whole.subarray(0, 100_000));
    await expect(unpack(group, at("to"), at("tar"))).rejects.toThrow(/tar/);
  });

  const STRANGE = 'a "strange"\\ name\n';
  const tar = (...args: string[]) => execFileSync("tar", ["-f", at("tar"), "-C", at("from"), ...args]);
  test.each<[string, () => void]>([
    ["a link that is in the folder already", () => symlinkSync(at("outside"), at("to", STRANGE))],
    ["a link to such a link", () => [symlinkSync(at("outside"), at("to/l")), symlinkSync("l", at("to", STRANGE))]],
    [
      "a link that comes with it",
      () => {
        make("other", {});
        mkdirSync(at("other"));
        symlinkSync("inside", at("other", STRANGE));
        execFileSync("tar", ["-f", at("tar"), "-C", at("other"), "-c", `./${STRANGE}`]);
        tar("-r", `./${STRANGE}/deep/file`);
      },
    ],
  ])("with a file below %s is refused before anything is written", async (_what, link) => {
    make("from", { first: "1", [`${STRANGE}/deep/file`]: "2" });
    make("outside", { deep: undefined });
    make("to", { inside: undefined });
    tar("-c", "./first", `./${STRANGE}/deep/file`);
    link();
    const before = tree("to");
    await expect(unpack(group, at("to"), at("tar"))).rejects.toThrow(/is below a symbolic link/);
    expect(tree("outside")).toEqual(["d deep"]);
    expect(tree("to")).toEqual(before);
  });

  test("with a hard link to a file below a link is refused", async () => {
    make("from", { "away/passwd": "1" });
    linkSync(at("from/away/passwd"), at("from/mine"));
    tar("-c", "./away/passwd", "./mine");
    tar("--delete", "./away/passwd");
    make("outside", { passwd: "secret" });
    make("to", { ".": undefined });
    symlinkSync(at("outside"), at("to/away"));
    await expect(unpack(group, at("to"), at("tar"))).rejects.toThrow(/is below a symbolic link/);
  });

  test("with names of all kinds is unpacked", async () => {
    make("from", { [`${STRANGE}/\u00e4\u20ac`]: "1", " leads": "2", "link to b": "3" });
    symlinkSync(' -> "x"', at("from/a -> b"));
    make("to", { ".": undefined });
    await unpack(group, at("to"), await store("tar", packFolder(group, at("from"))));
    expect(tree("to")).toEqual(tree("from"));
  });
});

describe("a part that lands", () => {
  test("is there when it is whole", async () => {
    await land(group, at("landed/layer"), Readable.from([Buffer.from("one "), Buffer.from("two")]));
    expect(readFileSync(at("landed/layer"), "utf8")).toBe("one two");
    expect(statSync(at("landed")).mode & 0o777).toBe(0o700);
    expect(statSync(at("landed/layer")).mode & 0o777).toBe(0o600);
  });

  test("and whose sender goes away is not there, nor is any of it", async () => {
    const body = new Readable({ read() {} });
    const landed = land(group, at("landed/layer"), body);
    body.push(Buffer.alloc(512));
    body.destroy(new Error("connection reset"));
    await expect(landed).rejects.toThrow(/connection reset/);
    expect(tree("landed")).toEqual([]);
  });

  test("and does not fit is refused as NoRoom, and its sender is read to the end", async () => {
    const full = { ...group, host: { ...host, command: () => host.command(["/bin/sh", "-c", "cat >/dev/full"]) } };
    const body = Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(1 << 16)));
    await expect(land(full, at("landed/layer"), body)).rejects.toMatchObject({ reason: "NoRoom" });
    await finished(body);
  });

  test("is put where its volume belongs: one in memory is never put on the disk", () => {
    const emptyDirs = [
      { name: "cache", memory: false },
      { name: "secret", memory: true },
    ];
    const file = (name: string) => landedFile(MOVE, { part: "empty-dir", name }, emptyDirs);
    expect(file("cache")).toBe(`/var/lib/headroom/files/${MOVE}/empty-dir.cache`);
    expect(file("secret")).toBe(`/run/headroom/target/${MOVE}/staging/files/empty-dir.secret`);
    expect(() => file("other")).toThrow(/no emptyDir other/);
  });

  test("and whose move nobody remembers is removed when the agent starts", async () => {
    const node = { ...host, path: (path: string) => at("node", path) };
    make("node/var/lib/headroom/files", {
      [`${MOVE}/layer`]: "kept",
      "00000000-6f0e-4f7c-9f5b-0123456789ab/layer": "",
    });
    await removeForgotten(node, [MOVE]);
    expect(tree("node/var/lib/headroom/files")).toEqual([`d ${MOVE}`, `f ${MOVE}/layer`]);
  });
});

describe("what the kernel remembers of files is charged to the move's group, not to the agent's, when", () => {
  const drained = async ({ stream, done }: Archive) => void (await Promise.all([done, buffer(stream)]));

  test.each<[string, (grouped: Group) => Promise<unknown>]>([
    ["a folder is packed", (grouped) => drained(packFolder(grouped, at("upper")))],
    [
      "a layer is listed and packed",
      (grouped) => {
        const { listing, files } = packLayer(grouped, at("upper"), at("merged"));
        return Promise.all([drained(listing), drained(files)]);
      },
    ],
    ["a part lands", (grouped) => land(grouped, at("landed"), Readable.from([Buffer.from("x")]))],
    ["an archive is unpacked", (grouped) => unpack(grouped, at("target"), at("tar"))],
    ["files are removed", (grouped) => removeDeleted(grouped, at("target"), at("listing"))],
  ])("%s", async (_what, work) => {
    for (const folder of ["upper", "merged", "target"]) make(folder, { file: "x" });
    await store("tar", packFolder(group, at("upper")));
    writeFileSync(at("listing"), "F.\0");
    writeFileSync(at("cgroup.procs"), "");
    await work({ host, procs: [at("cgroup.procs")] });
    const joined = Number(readFileSync(at("cgroup.procs"), "utf8"));
    expect([joined > 0, joined !== process.pid]).toEqual([true, true]);
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
