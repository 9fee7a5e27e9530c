/** A move's images made to fit a container that waits, on a node in a folder. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FILES, type FileEntry, tcpStreamOf } from "../../../src/agent/criu-images/definitions.ts";
import { encodeImage, readImage, readLeading, writeImage } from "../../../src/agent/criu-images/image-file.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { under } from "../../../src/agent/host/host.ts";
import { adaptImages } from "../../../src/agent/host/image-adapting.ts";
import { targetMoveOf } from "../../../src/agent/host/layout.ts";

const MOVE = "0fbb1c3e-9f5b-4f7c-9f5b-0123456789ab";
const BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1";
const VOLUME = "/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/token";
const HERE = "..2026_11_30_15_00_00.123456789";

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
  const mounts = [{ source: VOLUME, destination: "/var/run/token" }];
  write(join(BUNDLE, "config.json"), JSON.stringify({ mounts }));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const LOOPBACK = [0x0100007f];
const socket = (ino: number, from: number, to: number): FileEntry => {
  const ends = { src_addr: LOOPBACK, src_port: from, dst_addr: LOOPBACK, dst_port: to };
  return { type: 4, id: ino, isk: { id: ino, ino, family: 2, type: 1, proto: 6, state: 1, ...ends } };
};

function adapted(files: FileEntry[], streams: Record<number, object> = {}): FileEntry[] {
  writeImage(images, FILES, encodeImage(FILES, files));
  for (const [ino, stream] of Object.entries(streams)) {
    const kind = tcpStreamOf(Number(ino));
    writeImage(images, kind, encodeImage(kind, [stream]));
  }
  adaptImages(host, MOVE, "c1");
  return readImage(images, FILES);
}
const config = () => readFileSync(host.path(targetMoveOf(MOVE).criuConfig), "utf8");

describe("a move's images", () => {
  test("name files by the folders that the volumes have here, also below a link", () => {
    const [file] = adapted([{ type: 1, id: 1, reg: { id: 1, name: "/run/token/..2025_01_02_03_04_05.9/ca.crt" } }]);
    expect(file?.reg?.name).toBe(`/run/token/${HERE}/ca.crt`);
  });

  test("keep connections within the container, whose bytes all count as sent", () => {
    const stream = { inq_seq: 100, outq_seq: 200, outq_len: 100, unsq_len: 60 };
    const files = [socket(1, 80, 40000), socket(2, 40000, 80)];
    expect(adapted(files, { 1: stream, 2: { inq_seq: 150, outq_seq: 100, outq_len: 0 } })).toEqual(files);
    expect(readLeading(images, tcpStreamOf(1))).toEqual({ ...stream, unsq_len: 0 });
    expect(config()).toBe("leave-stopped\nnetwork-lock skip\nverbosity 2\n");
  });

  test("have all connections closed when none goes on, as CRIU wants it where it was so at the dump", () => {
    const files = adapted([socket(1, 80, 40000), socket(2, 40000, 80)]);
    expect(files.map(({ isk }) => [isk?.state, isk?.dst_port])).toEqual([
      [7, 0],
      [7, 0],
    ]);
    expect(config()).toContain("tcp-close\n");
  });

  test("may be made to fit again", () => {
    const files = [
      socket(1, 80, 40000),
      { type: 1, id: 1, reg: { id: 1, name: "/run/token/..2025_01_02_03_04_05.9/a" } },
    ];
    const once = adapted(files);
    expect(adapted(once)).toEqual(once);
  });

  test("that are not understood are refused by name, and stay as they are", () => {
    writeFileSync(join(images, "files.img"), "what is this");
    expect(() => adaptImages(host, MOVE, "c1")).toThrow(/cannot be restored here: files\.img does not begin/);
    expect(readFileSync(join(images, "files.img"), "utf8")).toBe("what is this");
    expect(existsSync(host.path(targetMoveOf(MOVE).criuConfig))).toBe(false);
  });
});
