import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostOfProcessOne, under } from "../../../src/agent/host/host.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "root-"));
  write("/data/containerd/snapshots/1/file", "of the node");
  for (const [link, target] of Object.entries({
    "/var/lib/containerd": "/data/containerd",
    "/var/lib/kubelet": "../../data/kubelet",
    "/var/run": "/run",
    "/data/containerd/latest": "/var/lib/containerd/snapshots/1",
    "/etc/config.toml": "/opt/config.toml",
    "/out": "../../../../data",
    "/loop": "/loop",
  })) {
    mkdirSync(dirname(join(root, link)), { recursive: true });
    symlinkSync(target, join(root, link));
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

describe("a path on the host", () => {
  test.each([
    ["without links", "/data/containerd/snapshots", "/data/containerd/snapshots"],
    ["below an absolute link", "/var/lib/containerd/snapshots/1/file", "/data/containerd/snapshots/1/file"],
    ["below a relative link", "/var/lib/kubelet/pods", "/data/kubelet/pods"],
    ["through links that lead to links", "/var/lib/containerd/latest/file", "/data/containerd/snapshots/1/file"],
    ["that is a link", "/etc/config.toml", "/opt/config.toml"],
    ["that isn't there yet, below a link", "/var/run/headroom/new", "/run/headroom/new"],
    ["that would lead out of the host's root", "/out/../../etc", "/etc"],
    ["of the root", "/", "/"],
    ["below a file", "/data/containerd/snapshots/1/file/x", "/data/containerd/snapshots/1/file/x"],
  ])("%s is where the host would find it", (_, path, found) => {
    expect(under(root, path)).toBe(join(root, found));
  });

  test("leads to the host's file, not to one of the agent's own", () => {
    expect(readFileSync(under(root, "/var/lib/containerd/snapshots/1/file"), "utf8")).toBe("of the node");
  });

  test("whose links lead in a circle is refused", () => {
    expect(() => under(root, "/loop/x")).toThrow("/loop/x has too many symbolic links");
  });

  test("of a process or a device is left as it is: its links are the kernel's", () => {
    expect(hostOfProcessOne().path("/proc/self/cwd/x")).toBe("/proc/1/root/proc/self/cwd/x");
  });
});
