import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesOf } from "../../../src/agent/host/dump.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { mountObstacles } from "../../../src/agent/host/mount-obstacles.ts";
import { overlayObstacle } from "../../../src/agent/host/overlay-options.ts";

const POD = "/var/lib/kubelet/pods/5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const SHM = "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/shm";

let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => join(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content = ""): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
}

const reasons = (source: string, destination: string) =>
  mountObstacles(host, { pid: 7, rootfs: "/none", mounts: [{ source, destination }] }).map(({ reason }) => reason);

describe("a mount", () => {
  test("of the sandbox's /dev/shm is in the way as long as there are files in it", () => {
    mkdirSync(host.path(SHM), { recursive: true });
    expect(reasons(SHM, "/dev/shm")).toEqual([]);
    write(`${SHM}/segment`);
    expect(reasons(SHM, "/dev/shm")).toEqual(["SharedMemory"]);
  });

  test("of an emptyDir at /dev/shm is not, as it travels", () => {
    const volume = `${POD}/volumes/kubernetes.io~empty-dir/shm`;
    write(`${volume}/segment`);
    expect(reasons(volume, "/dev/shm")).toEqual([]);
  });

  test("of an emptyDir's subPath is in the way, of a ConfigMap's it isn't", () => {
    mkdirSync(host.path(`${POD}/volumes/kubernetes.io~empty-dir/data`), { recursive: true });
    mkdirSync(host.path(`${POD}/volumes/kubernetes.io~configmap/config`), { recursive: true });
    expect(reasons(`${POD}/volume-subpaths/data/app/0`, "/data")).toEqual(["SubPath"]);
    expect(reasons(`${POD}/volume-subpaths/config/app/1`, "/etc/app.conf")).toEqual([]);
  });
});

test("POSIX message queues are in the way as long as there are some", () => {
  mkdirSync(host.path("/proc/7/root/dev/mqueue"), { recursive: true });
  expect(reasons("/none", "/data")).toEqual([]);
  write("/proc/7/root/dev/mqueue/jobs");
  expect(reasons("/none", "/data")).toEqual(["MessageQueues"]);
});

describe("an overlay", () => {
  const mounted = (options: string) => `96 78 0:56 / /r rw,relatime shared:66 - overlay overlay ${options}`;

  test.each([
    ["nothing of the kind", "rw,upperdir=/u", "N", []],
    ["the kernel's default", "rw,upperdir=/u", "Y", ["WritableLayer"]],
    ["its own option", "rw,upperdir=/u,redirect_dir=on", "N", ["WritableLayer"]],
    ["its own option against the default", "rw,upperdir=/u,redirect_dir=nofollow,metacopy=off", "Y", []],
  ])("whose layer may name files of the image is in the way: %s", (_what, options, standard, expected) => {
    for (const name of ["redirect_dir", "metacopy"]) write(`/sys/module/overlay/parameters/${name}`, `${standard}\n`);
    expect(overlayObstacle(host, "/r", mounted(options)).map(({ reason }) => reason)).toEqual(expected);
  });

  test("that isn't one is left to others", () => {
    expect(overlayObstacle(host, "/other", mounted("rw,redirect_dir=on"))).toEqual([]);
  });
});

test("files that the container does not mount are refused by name", () => {
  const mountinfo = "96 78 0:56 / /r rw shared:66 - overlay overlay rw,upperdir=/u";
  const mounts = [{ source: `${POD}/volumes/kubernetes.io~empty-dir/data`, destination: "/data" }];
  expect(filesOf({ rootfs: "/r", mounts }, ["data"], mountinfo).emptyDirs).toHaveLength(1);
  expect(() => filesOf({ rootfs: "/r", mounts }, ["data", "init-only"], mountinfo)).toThrow(/emptyDir init-only/);
});
