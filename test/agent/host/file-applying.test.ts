import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packFolder } from "../../../src/agent/host/archives.ts";
import { FileApplying, forgetFilled, hasFiles } from "../../../src/agent/host/file-applying.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { expectedFiles, land } from "../../../src/agent/host/landing.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";
import { until } from "../../support/until.ts";

const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const POD = "/var/lib/kubelet/pods/5f0e1111-6f0e-4f7c-9f5b-0123456789ab/volumes/kubernetes.io~empty-dir";
const GROUP = "/kubepods/pod1";
const EMPTY_DIRS = [
  { name: "cache", memory: false },
  { name: "secret", memory: true },
];
const move = targetMoveOf(MOVE);

let root: string;
let host: Host;
let files: FileApplying;
/** Programs that were started, with the groups that each joined, in order. */
let started: { program: readonly string[]; groups: readonly string[] }[];
/** A program with this among its arguments hangs. */
let hanging: string | undefined;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  started = [];
  hanging = undefined;
  host = {
    path: (path) => join(root, path),
    command: (argv) => {
      const [first, end] = [argv.indexOf("headroom-join") + 1, argv.indexOf("--")];
      const program = argv.slice(end + 1);
      started.push({ program, groups: argv.slice(first, end).map((path) => path.slice(root.length)) });
      const [file = "true", ...args] = program.some((word) => word === hanging) ? ["sleep", "60"] : program;
      return { file, args };
    },
    environment: (extra = {}) => ({ PATH: `${join(root, "bin")}:${process.env.PATH}`, ...extra }),
  };
  // No test can mount a root file system: a folder passes for one while this answers with the folder's own name.
  write("/bin/stat", '#!/bin/sh\necho "$3"\n');
  chmodSync(host.path("/bin/stat"), 0o755);
  files = new FileApplying(host, MOVE, EMPTY_DIRS);
  for (const name of ["c1", "c2"]) bundle(name);
  mkdirSync(host.path("/sys/fs/cgroup"), { recursive: true });
  const paths = { freezer: "/f/s1", devices: "/d/s1", memory: `/sys/fs/cgroup/memory${GROUP}/s1` };
  const sandbox = { init_process_pid: 1, cgroup_paths: paths, config: { rootfs: "/r", mounts: [] } };
  write("/run/containerd/runc/k8s.io/s1/state.json", JSON.stringify(sandbox));
});
afterEach(async () => {
  await files.end();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

const rootfsOf = (container: string) => `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${container}/rootfs`;

/** A container of the image, which has two files. */
function bundle(container: string): void {
  for (const name of ["kept", "deleted"]) write(join(rootfsOf(container), name), "of the image");
  const mounts = EMPTY_DIRS.map(({ name }) => ({ source: `${POD}/${name}` }));
  for (const { source } of mounts) mkdirSync(host.path(source), { recursive: true });
  const annotations = { "io.kubernetes.cri.sandbox-id": "s1" };
  write(join(rootfsOf(container), "../config.json"), JSON.stringify({ mounts, annotations }));
}

/** The layer has a file of its own, and each volume one that is named as the volume. */
async function landAll(): Promise<void> {
  const group = { host, procs: [] };
  const { listing, layer, emptyDirs } = expectedFiles(MOVE, EMPTY_DIRS);
  write("/from/layer/new", "of the layer");
  for (const { name } of emptyDirs) write(`/from/${name}/${name}`, "of a volume");
  await land(group, listing, Readable.from([Buffer.from("F.\0Kkept\0")]));
  await land(group, layer, packFolder(group, host.path("/from/layer")).stream);
  for (const { name, file } of emptyDirs) await land(group, file, packFolder(group, host.path(`/from/${name}`)).stream);
  started = [];
}

/** `create` of a container waits, as of the given second. */
function createWaits(container: string, atSecond: number): void {
  const child = spawn("/bin/sh", ["-c", "read line", "wrapper", container], { stdio: ["pipe", "ignore", "ignore"] });
  children.push(child);
  write(join(move.waiting, container), "");
  utimesSync(host.path(join(move.waiting, container)), atSecond, atSecond);
  write(join(move.waiting, `${container}.pid`), `${child.pid}\n`);
}

const there = (path: string) => existsSync(host.path(path));
const layerIn = (container: string) =>
  ["kept", "deleted", "new"].filter((name) => there(join(rootfsOf(container), name)));

describe("a container that waits for its restore", () => {
  test("gets all files once they have landed, and is noted as the one that has them", async () => {
    await landAll();
    await files.give("c1");
    expect(layerIn("c1")).toEqual(["kept", "new"]);
    expect(EMPTY_DIRS.map(({ name }) => there(`${POD}/${name}/${name}`))).toEqual([true, true]);
    expect(readFileSync(host.path(move.filesFor), "utf8")).toBe("c1\n");
  });

  test.each(["layer-manifest", "layer", "empty-dir.cache"])("gets none as long as there is no %s", async (name) => {
    await landAll();
    rmSync(host.path(join(move.files, name)));
    await expect(files.give("c1")).rejects.toMatchObject({ reason: "RestoreFailed" });
    expect([layerIn("c1"), hasFiles(host, MOVE, "c1")]).toEqual([["kept", "deleted"], false]);
  });

  test("and comes second gets all of the layer again; the volumes are the pod's and stay as they are", async () => {
    await landAll();
    await files.give("c1");
    write(`${POD}/cache/cache`, "as the first copy left it");
    await files.give("c2");
    expect(layerIn("c2")).toEqual(["kept", "new"]);
    expect([hasFiles(host, MOVE, "c1"), hasFiles(host, MOVE, "c2")]).toEqual([false, true]);
    expect(readFileSync(host.path(`${POD}/cache/cache`), "utf8")).toBe("as the first copy left it");
  });

  test("gets the volumes, too, after a copy that has died", async () => {
    await landAll();
    await files.give("c1");
    write(`${POD}/cache/cache`, "changed");
    forgetFilled(host, MOVE);
    await files.give("c2");
    expect(readFileSync(host.path(`${POD}/cache/cache`), "utf8")).toBe("of a volume");
  });

  test("is not noted when a file cannot be copied", async () => {
    await landAll();
    write(join(move.files, "layer"), "no tar");
    await expect(files.give("c1")).rejects.toThrow(/could not be copied into the container: .*tar/);
    expect(hasFiles(host, MOVE, "c1")).toBe(false);
  });

  test("gets nothing once its root file system has been unmounted: it would lie below", async () => {
    await landAll();
    write("/bin/stat", "#!/bin/sh\necho 7\n");
    await expect(files.give("c1")).rejects.toThrow(/nothing is mounted there any more/);
    expect([there(join(rootfsOf("c1"), "new")), hasFiles(host, MOVE, "c1")]).toEqual([false, false]);
  });

  test("does not wait for a copy into a container that has gone", async () => {
    await landAll();
    hanging = host.path(rootfsOf("c1"));
    const first = files.give("c1").catch(() => "ended");
    await until(() => started.length > 0, "the first copy to begin");
    await files.give("c2");
    expect([await Promise.race([first, "runs"]), hasFiles(host, MOVE, "c2")]).toEqual(["ended", true]);
  });

  test("has what is in memory copied at its pod's cost, all else at the move's", async () => {
    await landAll();
    await files.give("c1");
    const last = (word: string) =>
      started.find(({ program }) => program.includes(host.path(word)))?.groups.findLast((path) => /memory/.test(path));
    expect(last(`${POD}/secret`)).toBe(`/sys/fs/cgroup/memory${GROUP}/headroom/cgroup.procs`);
    expect(last(`${POD}/cache`)).toBe(`/sys/fs/cgroup/memory/headroom/${MOVE}/cgroup.procs`);
    expect(last(rootfsOf("c1"))).toBe(`/sys/fs/cgroup/memory/headroom/${MOVE}/cgroup.procs`);
    expect(there(`/sys/fs/cgroup/memory${GROUP}/headroom`)).toBe(false);
  });
});

describe("while the memory still comes", () => {
  test("each container that waits gets the files, the newest last", async () => {
    await landAll();
    files.giveAhead(() => undefined);
    createWaits("c1", 1);
    await until(() => hasFiles(host, MOVE, "c1"), "the first container to have its files");
    createWaits("c2", 2);
    await until(() => hasFiles(host, MOVE, "c2"), "the second container to have its files");
  });

  test("a copy that fails is told once and does not keep a later container from its files", async () => {
    await landAll();
    rmSync(host.path(join(rootfsOf("c1"), "../config.json")));
    const failures: unknown[] = [];
    files.giveAhead((error) => failures.push(error));
    createWaits("c1", 1);
    await until(() => failures.length > 0, "the failure");
    createWaits("c2", 2);
    await until(() => hasFiles(host, MOVE, "c2"), "the second container to have its files");
    expect(failures).toHaveLength(1);
  });
});
