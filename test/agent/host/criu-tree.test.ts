/** CRIU's own tree on a node. Its `criu` is a script here; where programs cannot be started it lacks the right to be executed. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { layTree, noteTree, removeTrees, removeUnusedTrees } from "../../../src/agent/host/criu-tree.ts";
import { type Host, runOnHost, withPrograms } from "../../../src/agent/host/host.ts";

const [STATE, RUN, OPT] = ["/var/lib/headroom/criu", "/run/headroom/criu", "/opt/headroom/criu"];
const OLD = "0123456789abcdef";
const NEW = "fedcba9876543210";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

let root: string;
let host: Host;
/** Folders (host paths) whose file system lets no program be started. */
let noexec: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "criu-"));
  noexec = [];
  const path = (hostPath: string) => join(root, "node", hostPath);
  const command = ([file = "", ...args]: readonly string[]) => {
    const denied = noexec.some((folder) => file.startsWith(folder));
    return denied ? { file: "sh", args: ["-c", "echo Permission denied >&2; exit 126"] } : { file: path(file), args };
  };
  host = { path, command, environment: () => ({ PATH: process.env.PATH }) };
  mkdirSync(path("/"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** In the agent's image. */
function tree(id: string): string {
  const folder = join(root, id);
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin/criu"), `#!/bin/sh\necho Version: ${id}\n`);
  chmodSync(join(folder, "bin/criu"), 0o755);
  writeFileSync(join(folder, "id"), `${id}\n`);
  return folder;
}

const lay = (id: string, folder?: string) => layTree(host, { source: tree(id), folder });
const namesIn = (folder: string) =>
  existsSync(host.path(folder)) ? readdirSync(host.path(folder)).sort() : "no such folder";

describe("the bundled CRIU", () => {
  test("is laid into the first folder, and its programs are found before the node's", async () => {
    const bin = await lay(NEW);
    expect(bin).toBe(join(STATE, NEW, "bin"));
    expect(withPrograms(host, bin).environment().PATH).toBe(`${bin}:${process.env.PATH}`);
    expect((await runOnHost(host, [join(bin, "criu")])).stdout).toBe(`Version: ${NEW}\n`);
    expect([namesIn(STATE), namesIn(join(STATE, NEW))]).toEqual([[NEW], ["bin", "id"]]);
  });

  test("is not laid again when it is there", async () => {
    const bin = await lay(NEW);
    writeFileSync(host.path(join(STATE, NEW, "seen")), "");
    expect(await lay(NEW)).toBe(bin);
    expect(namesIn(join(STATE, NEW))).toContain("seen");
  });

  test.each([
    ["cannot be started", () => chmodSync(host.path(join(STATE, NEW, "bin/criu")), 0o644)],
    ["is gone", () => rmSync(host.path(join(STATE, NEW, "bin/criu")))],
  ])("is installed again when its program %s", async (_why, harm) => {
    await lay(NEW);
    harm();
    const bin = await lay(NEW);
    expect((await runOnHost(host, [join(bin, "criu")])).code).toBe(0);
  });

  test.each([
    ["the first folder is mounted noexec", [STATE], RUN],
    ["the first two are", [STATE, RUN], OPT],
  ])("goes elsewhere when %s, and leaves nothing there", async (_why, folders, expected) => {
    noexec = folders;
    expect(await lay(NEW)).toBe(join(expected, NEW, "bin"));
    for (const folder of folders) expect(namesIn(folder)).toEqual([]);
  });

  test("goes into a folder that was chosen, or nowhere", async () => {
    expect(await lay(NEW, "/data/criu")).toBe(`/data/criu/${NEW}/bin`);
    noexec = ["/data"];
    await expect(lay(OLD, "/data/criu")).rejects.toThrow("/data/criu: Permission denied");
    expect(namesIn("/data/criu")).toEqual([NEW]);
  });

  test("names every folder that was tried when none works", async () => {
    noexec = ["/"];
    await expect(lay(NEW)).rejects.toThrow(new RegExp(`${STATE}: .*; ${RUN}: .*; ${OPT}: `));
  });

  test("replaces a former version, unless a move is to be restored with that", async () => {
    const old = await lay(OLD);
    mkdirSync(host.path(`/run/headroom/target/${MOVE}`), { recursive: true });
    noteTree(host, MOVE, old);
    const bin = await lay(NEW);
    expect(namesIn(STATE)).toEqual([OLD, NEW]);
    rmSync(host.path(dirname(`/run/headroom/target/${MOVE}/criu`)), { recursive: true });
    removeUnusedTrees(host, bin);
    expect(namesIn(STATE)).toEqual([NEW]);
  });

  test("goes with all versions and empty folders when the node is cleaned, and nothing else does", async () => {
    await lay(OLD, "/data/criu");
    noexec = [STATE, RUN];
    await lay(NEW);
    writeFileSync(host.path("/data/other"), "");
    mkdirSync(host.path("/opt/other"));
    removeTrees(host);
    expect([namesIn("/opt"), namesIn("/data")]).toEqual([["other"], ["other"]]);
  });
});
