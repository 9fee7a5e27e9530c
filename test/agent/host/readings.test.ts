import { describe, expect, test } from "vitest";
import { emptyDirsOf, upperDirectoryOf } from "../../../src/agent/host/containers.ts";
import { errorsIn, namesAKind } from "../../../src/agent/host/criu-log.ts";
import { pagesWritten } from "../../../src/agent/host/criu-stats.ts";
import { cpuFlagsOf } from "../../../src/agent/host/features.ts";
import { connectionName, connectionsIn, connectionsThatLeave, isInner } from "../../../src/agent/host/tcp-table.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const row = (local: string, remote: string, state: string, inode: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0`;

describe("connected TCP sockets", () => {
  const all = (...rows: string[]) => connectionsIn([HEAD, ...rows].join("\n"));
  const leaving = (...rows: string[]) => connectionsThatLeave(all(...rows), new Set(["77", "78"])).map(connectionName);

  test.each([
    ["with both ends", "0100007F:1F90", "0201A8C0:0050", "127.0.0.1:8080 -> 192.168.1.2:80"],
    [
      "of version 6, too",
      "00000000000000000000000001000000:1F90",
      "B80D0120000000000000000001000000:0050",
      "[0:0:0:0:0:0:0:1]:8080 -> [2001:db8:0:0:0:0:0:1]:80",
    ],
    [
      "of version 4 on a socket of version 6 as version 4",
      "0000000000000000FFFF00000100007F:2328",
      "0000000000000000FFFF00000201A8C0:E59E",
      "127.0.0.1:9000 -> 192.168.1.2:58782",
    ],
  ])("are told %s", (_what, local, remote, told) => {
    expect(leaving(row(local, remote, "01", 77))).toEqual([told]);
  });

  test("between two processes of the container are not told", () => {
    const [one, other] = ["0100007F:1F90", "0100007F:E59E"];
    expect(leaving(row(one, other, "01", 77), row(other, one, "01", 78))).toEqual([]);
    const mapped = (end: string) => `0000000000000000FFFF0000${end}`;
    expect(leaving(row(one, other, "01", 77), row(mapped(other), mapped(one), "01", 78))).toEqual([]);
  });

  test.each<[string, string, number]>([
    ["is held by a process that is not the container's", "01", 79],
    ["is half closed", "08", 78],
    ["is gone", "01", 0],
  ])("whose other end %s are told", (_what, state, inode) => {
    const [one, other] = ["0100007F:1F90", "0100007F:E59E"];
    expect(leaving(row(one, other, "01", 77), row(other, one, state, inode))).toContain(
      "127.0.0.1:8080 -> 127.0.0.1:58782",
    );
  });

  test.each<[string, string, string, boolean]>([
    ["to the loopback", "0100007F:1F90", "0100007F:E59E", true],
    [
      "to the loopback of version 6",
      "00000000000000000000000001000000:1F90",
      "00000000000000000000000001000000:E59E",
      true,
    ],
    ["to the pod's own address", "0201A8C0:1F90", "0201A8C0:E59E", true],
    ["to another pod", "0201A8C0:1F90", "0301A8C0:E59E", false],
  ])("%s are within the pod, or not", (_what, local, remote, inner) => {
    expect(all(row(local, remote, "01", 77)).map(isInner)).toEqual([inner]);
  });

  test("have bytes that were not acknowledged, and some that were not read", () => {
    const full = row("0100007F:1F90", "0201A8C0:0050", "01", 77).replace("00000000:00000000", "000000FF:00000100");
    expect(all(full).map(({ queuedBytes }) => queuedBytes)).toEqual([511]);
  });

  test.each([
    ["a listening one", "0A", 5, 0],
    ["one that waits for stray packets, held by nobody", "06", 0, 0],
    ["one that the kernel closes by itself", "05", 0, 0],
    ["one half closed by the other side", "08", 5, 1],
    ["one that is being closed", "04", 5, 1],
    ["one that is being made", "02", 5, 1],
  ])("%s: state %s", (_what, state, inode, count) => {
    expect(all(row("0100007F:1F90", "0100007F:0050", state, inode))).toHaveLength(count);
  });
});

describe("a mounted overlay", () => {
  const mount = (at: string, options: string) =>
    `96 78 0:56 / ${at} rw,relatime shared:66 - overlay overlay ${options}`;

  test("names its writable layer", () => {
    const info = [
      mount("/run/a/rootfs", "rw,lowerdir=/l,upperdir=/snap/2/fs,workdir=/w"),
      mount("/run/b/rootfs", "rw,upperdir=/no"),
    ];
    expect(upperDirectoryOf("/run/a/rootfs", info.join("\n"))).toBe("/snap/2/fs");
  });

  test("may have spaces in its paths", () => {
    expect(upperDirectoryOf("/run/a b", mount("/run/a\\040b", "rw,upperdir=/s\\040p"))).toBe("/s p");
  });

  test("that isn't there has none", () => {
    expect(upperDirectoryOf("/run/c", mount("/run/a", "rw,upperdir=/s"))).toBeUndefined();
  });
});

test("emptyDirs are known by where mounts come from, whatever the kubelet's folder", () => {
  const pod = "/data/kubelet/pods/u/volumes";
  const found = emptyDirsOf([
    { source: `${pod}/kubernetes.io~empty-dir/cache` },
    { source: `${pod}/kubernetes.io~empty-dir/scratch/sub/path` },
    { source: `${pod}/kubernetes.io~projected/token` },
    { source: "tmpfs" },
  ]);
  expect([...found]).toEqual([
    ["cache", `${pod}/kubernetes.io~empty-dir/cache`],
    ["scratch", `${pod}/kubernetes.io~empty-dir/scratch`],
  ]);
});

test("CPU flags are those of the first processor, sorted", () => {
  expect(cpuFlagsOf("processor : 0\nflags\t\t: sse2 avx\nflags\t\t: other\n")).toEqual(["avx", "sse2"]);
  expect(cpuFlagsOf("Features\t: fp asimd\n")).toEqual(["asimd", "fp"]);
});

test("CRIU's first errors are told without time and process", () => {
  const log =
    "(00.1) Warn  (x) y\n(00.286421) 9: Error (criu/files-reg.c:1815): File bin/counter has bad build-ID\n(00.29) Error (criu/a.c:1): b\n";
  expect(errorsIn(log)).toBe("Error (criu/files-reg.c:1815): File bin/counter has bad build-ID; Error (criu/a.c:1): b");
  expect(errorsIn(undefined)).toBe("");
});

test.each([
  ["Error (criu/sk-inet.c:137): Unsupported proto 262 for socket 13f4", true],
  ["Error (criu/namespaces.c:1): Can't dump nested user namespace for 12", true],
  ["Error (criu/files.c:550): Can't dump file 9 of that type [600] (unknown anon_inode:[x])", true],
  ["Error (criu/files-reg.c:2175): File scripts/run.sh has bad size 12 (expect 13)", true],
  ["Error (criu/sk-inet.c:1): Can't create inet socket: Address family not supported by protocol", false],
  ["Error (criu/mount.c:1): Can't mount: Operation not supported", false],
  ["Error (criu/sk-inet.c:1): Can't bind inet socket (id 3): Cannot assign requested address", false],
  ["Error (criu/page-xfer.c:1): Can't write pages to socket: Broken pipe", false],
  ["Error (criu/files-reg.c:1): Can't write to image: No space left on device", false],
  ["Error (criu/cr-dump.c:1): Timeout reached. Try to interrupt: 0", false],
  ["Warn  (criu/x.c:1): something is not supported", false],
])("%s: of a kind that is never carried? %s", (line, expected) => {
  expect(namesAKind(`(00.1) 7: ${line}\n(00.2) Error (criu/cr-dump.c:1975): Dumping FAILED.\n`)).toBe(expected);
});

test("pages written are read out of the dump's statistics", () => {
  const dump = Buffer.from([0x08, 0x01, 0x28, 0x05, 0x38, 0xac, 0x02]); // freezing 1, scanned 5, written 300
  const image = Buffer.concat([Buffer.alloc(12), Buffer.from([0x0a, dump.length]), dump]);
  expect(pagesWritten(image)).toBe(300);
  expect(pagesWritten(Buffer.alloc(3))).toBeUndefined();
});
