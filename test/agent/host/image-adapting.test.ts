/** A move's images made to fit a container that waits, on a node in a folder. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FILES, type FileEntry, PROCESSES, tcpStreamOf } from "../../../src/agent/criu-images/definitions.ts";
import { encodeImage, readImage, readLeading, writeImage } from "../../../src/agent/criu-images/image-file.ts";
import {
  type Core,
  coreOf,
  FILTERS,
  INVENTORY,
  idsOf,
  mountsOf,
} from "../../../src/agent/criu-images/process-definitions.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { under } from "../../../src/agent/host/host.ts";
import { adaptImages } from "../../../src/agent/host/image-adapting.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";

const MOVE = "0fbb1c3e-9f5b-4f7c-9f5b-0123456789ab";
const BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1";
const VOLUME = "/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/token";
const HERE = "..2026_11_30_15_00_00.123456789";

const FILTER = { filter: new Uint8Array([6, 0, 0, 0, 0, 0, 255, 127]), flags: 0 };
const CONFIG = {
  process: { user: { uid: 0, gid: 0 }, oomScoreAdj: 900 },
  mounts: [{ source: VOLUME, destination: "/var/run/token", type: "bind", options: ["rbind", "ro"] }],
  linux: { namespaces: [{ type: "mount" }] },
};

let root: string;
let host: Host;
let images: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-"));
  host = { path: (path) => under(root, path), command: () => ({ file: "true", args: [] }), environment: () => ({}) };
  images = host.path(targetMoveOf(MOVE).images);
  for (const folder of [
    images,
    join(root, BUNDLE, "rootfs/var"),
    join(root, BUNDLE, "rootfs/run"),
    join(root, VOLUME, HERE),
  ])
    mkdirSync(folder, { recursive: true });
  symlinkSync("/run", join(root, BUNDLE, "rootfs/var/run"));
  symlinkSync(HERE, join(root, VOLUME, "..data"));
  write(join(BUNDLE, "config.json"), JSON.stringify(CONFIG));
  writeProcess({});
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const OF_NODE = { mnt_ns_id: 6 };
/** Images of the container's one process. */
function writeProcess(thread: NonNullable<Core["thread_core"]>): void {
  const ids = { mnt_ns_id: 13, net_ns_id: 10 };
  const mounts = [
    { mnt_id: 2, parent_mnt_id: 1, mountpoint: "/run/token", ext_key: "/run/token", flags: 1 },
    { mnt_id: 1, parent_mnt_id: 0, mountpoint: "/" },
  ];
  const core = { tc: { task_state: 1, oom_score_adj: 100 }, thread_core: { creds: { uid: 0 }, ...thread } };
  writeImage(images, INVENTORY, encodeImage(INVENTORY, [{ root_ids: OF_NODE }]));
  writeImage(images, PROCESSES, encodeImage(PROCESSES, [{ pid: 1, ppid: 0 }]));
  writeImage(images, idsOf(1), encodeImage(idsOf(1), [ids]));
  writeImage(images, coreOf(1), encodeImage(coreOf(1), [core]));
  writeImage(images, mountsOf(13), encodeImage(mountsOf(13), mounts));
}

const LOOPBACK = [0x0100007f];
const socket = (ino: number, from: number, to: number): FileEntry => {
  const ends = { src_addr: LOOPBACK, src_port: from, dst_addr: LOOPBACK, dst_port: to };
  return { type: 4, id: ino, isk: { id: ino, ino, family: 2, type: 1, proto: 6, state: 1, ...ends } };
};

const adapt = async () => await adaptImages(host, MOVE, "c1", async () => FILTER);

async function adapted(files: FileEntry[], streams: Record<number, object> = {}): Promise<FileEntry[]> {
  writeImage(images, FILES, encodeImage(FILES, files));
  for (const [ino, stream] of Object.entries(streams)) {
    const kind = tcpStreamOf(Number(ino));
    writeImage(images, kind, encodeImage(kind, [stream]));
  }
  await adapt();
  return readImage(images, FILES);
}
const config = () => readFileSync(host.path(targetMoveOf(MOVE).criuConfig), "utf8");

describe("a move's images", () => {
  test("name files by the folders that the volumes have here, also below a link", async () => {
    const [file] = await adapted([
      { type: 1, id: 1, reg: { id: 1, name: "/run/token/..2025_01_02_03_04_05.9/ca.crt" } },
    ]);
    expect(file?.reg?.name).toBe(`/run/token/${HERE}/ca.crt`);
  });

  test("keep connections within the container, whose bytes all count as sent", async () => {
    const stream = { inq_seq: 100, outq_seq: 200, outq_len: 100, unsq_len: 60 };
    const files = [socket(1, 80, 40000), socket(2, 40000, 80)];
    expect(await adapted(files, { 1: stream, 2: { inq_seq: 150, outq_seq: 100, outq_len: 0 } })).toEqual(files);
    expect(readLeading(images, tcpStreamOf(1))).toEqual({ ...stream, unsq_len: 0 });
    expect(config()).toBe("leave-stopped\nnetwork-lock skip\nverbosity 2\n");
  });

  test("have all connections closed when none goes on, as CRIU wants it where it was so at the dump", async () => {
    const files = await adapted([socket(1, 80, 40000), socket(2, 40000, 80)]);
    expect(files.map(({ isk }) => [isk?.state, isk?.dst_port])).toEqual([
      [7, 0],
      [7, 0],
    ]);
    expect(config()).toContain("tcp-close\n");
  });

  test("may be made to fit again", async () => {
    const files = [
      socket(1, 80, 40000),
      { type: 1, id: 1, reg: { id: 1, name: "/run/token/..2025_01_02_03_04_05.9/a" } },
    ];
    const once = await adapted(files);
    expect(await adapted(once)).toEqual(once);
  });

  test("that are not understood are refused by name, and stay as they are", async () => {
    writeFileSync(join(images, "files.img"), "what is this");
    await expect(adapt()).rejects.toThrow(/cannot be restored here: files\.img does not begin/);
    expect(readFileSync(join(images, "files.img"), "utf8")).toBe("what is this");
    expect(existsSync(host.path(targetMoveOf(MOVE).criuConfig))).toBe(false);
  });

  test("are refused when they hold more than the pod may have, and stay as they are", async () => {
    writeProcess({ creds: { uid: 0, cap_prm: [1 << 21, 0] } });
    await expect(adapted([{ type: 1, id: 1, reg: { id: 1, name: "/x" } }])).rejects.toMatchObject({
      reason: "NotCarried",
      message: expect.stringContaining("capabilities that the pod may not have: CAP_SYS_ADMIN"),
    });
    expect(existsSync(host.path(targetMoveOf(MOVE).criuConfig))).toBe(false);
    expect(readImage(images, coreOf(1))[0]?.tc?.oom_score_adj).toBe(100);
  });

  test.each(["core-1.img", "inventory.img", "mountpoints-13.img", "ids-1.img", "pstree.img"])(
    "are refused without %s",
    async (name) => {
      rmSync(join(images, name));
      await expect(adapted([])).rejects.toThrow(/cannot be restored here|holds more/);
    },
  );

  test("may have processes that have ended, and no threads that only say so", async () => {
    const dead = { tc: { task_state: 2 } };
    writeImage(
      images,
      PROCESSES,
      encodeImage(PROCESSES, [
        { pid: 1, ppid: 0 },
        { pid: 2, ppid: 1, threads: [2] },
      ]),
    );
    writeImage(images, coreOf(2), encodeImage(coreOf(2), [dead]));
    expect(await adapted([])).toEqual([]);
    writeImage(images, PROCESSES, encodeImage(PROCESSES, [{ pid: 1, ppid: 0, threads: [1, 2] }]));
    await expect(adapted([])).rejects.toThrow(/thread 2 has no credentials/);
  });

  test("have this node's seccomp filter and this pod's place among those that the kernel ends", async () => {
    write(join(BUNDLE, "config.json"), JSON.stringify({ ...CONFIG, linux: { ...CONFIG.linux, seccomp: {} } }));
    writeProcess({ seccomp_mode: 2, seccomp_filter: 1 });
    const own = { filter: new Uint8Array([1]) };
    writeImage(images, FILTERS, encodeImage(FILTERS, [{ seccomp_filters: [own, { ...own, prev: 0 }] }]));
    await adapted([]);
    expect(readImage(images, FILTERS)).toEqual([{ seccomp_filters: [own, { ...FILTER, prev: 0 }] }]);
    expect(readImage(images, coreOf(1))[0]?.tc?.oom_score_adj).toBe(900);
  });
});
