/** Flags that a restored container's mounts lack. */
import { expect, test } from "vitest";
import { lackingFlags } from "../../../src/agent/host/mount-flags.ts";

const line = (path: string, options: string) => `386 316 0:143 / ${path} ${options} - overlay overlay rw,lowerdir=/l`;
const mount = (destination: string, flags: number, type = "bind") => ({
  destination,
  type,
  flags,
  isBind: type === "bind",
});
const RELATIME = 1 << 21;

test.each<[string, string, ReturnType<typeof mount>, { path: string; flags: number }[]]>([
  [
    "writable",
    line("/etc/config", "rw,relatime"),
    mount("/etc/config", 1),
    [{ path: "/etc/config", flags: 1 | RELATIME }],
  ],
  ["as it should be", line("/etc/config", "ro,relatime"), mount("/etc/config", 1), []],
  ["stricter", line("/data", "ro,nosuid"), mount("/data", 0), []],
  ["with devices", line("/data", "rw,nosuid,noatime"), mount("/data", 4), [{ path: "/data", flags: 2 | 4 | 1024 }]],
  ["another mount", line("/etc/configuration", "rw"), mount("/etc/config", 1), []],
  ["at a path with a space", line("/a\\040b", "rw"), mount("/a b", 1), [{ path: "/a b", flags: 1 }]],
  [
    "a control group's, whose parts have their own",
    line("/sys/fs/cgroup", "rw"),
    mount("/sys/fs/cgroup", 1, "cgroup"),
    [],
  ],
])("a mount that is %s", (_what, mountinfo, wanted, lacking) => {
  expect(lackingFlags(`${mountinfo}\n`, { mounts: [wanted], readOnlyRoot: false })).toEqual(lacking);
});

test("the root, where it is to be read-only", () => {
  const lacking = [{ path: "/", flags: 1 | RELATIME }];
  expect(lackingFlags(line("/", "rw,relatime"), { mounts: [], readOnlyRoot: true })).toEqual(lacking);
  expect(lackingFlags(line("/", "rw,relatime"), { mounts: [], readOnlyRoot: false })).toEqual([]);
});
