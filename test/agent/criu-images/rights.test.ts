/** Images that hold more than the pod may have: what a node that was taken over could send. */
import { describe, expect, test } from "vitest";
import type { FileEntry } from "../../../src/agent/criu-images/definitions.ts";
import { ImageError } from "../../../src/agent/criu-images/message.ts";
import type { Core, Credentials, Mount } from "../../../src/agent/criu-images/process-definitions.ts";
import {
  CAPABILITIES,
  capabilitySet,
  excessOf,
  firstFilterOf,
  type Granted,
  type ProcessImages,
  withFirstFilter,
  withOomScore,
} from "../../../src/agent/criu-images/rights.ts";

const HELD = ["CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_NET_RAW", "CAP_KILL"];
const volume = (destination: string, flags = 0) => ({ destination, type: "bind", isBind: true, flags });
const made = (destination: string, type: string, flags: number) => ({ destination, type, isBind: false, flags });
const ROOT: Granted = {
  uid: 0,
  groups: [0],
  bounding: capabilitySet(HELD),
  permitted: capabilitySet(HELD),
  noNewPrivileges: false,
  label: undefined,
  lsm: undefined,
  hasFilter: false,
  oomScoreAdj: 1000,
  namespaces: ["pid", "ipc", "uts", "mount", "network"],
  mounts: [
    made("/proc", "proc", 14),
    made("/dev", "tmpfs", 2),
    made("/sys", "sysfs", 15),
    made("/sys/fs/cgroup", "cgroup", 15),
    volume("/data"),
    volume("/run/token", 1),
  ],
  readOnlyRoot: false,
  hidden: ["/proc/kcore"],
  readOnly: ["/proc/sys"],
};
/** As the profile "restricted" has it. */
const USER: Granted = {
  ...ROOT,
  uid: 1000,
  groups: [1000, 2000],
  bounding: 0n,
  permitted: 0n,
  noNewPrivileges: true,
  label: "cri-containerd.apparmor.d",
  lsm: "apparmor",
  hasFilter: true,
  readOnlyRoot: true,
};

const words = (names: readonly string[]) => {
  const set = capabilitySet(names);
  return [Number(set & 0xffffffffn), Number(set >> 32n)];
};
const ids = (id: number) => ({ uid: id, gid: id, euid: id, egid: id, suid: id, sgid: id, fsuid: id, fsgid: id });
const ROOT_CREDS: Credentials = {
  ...ids(0),
  cap_prm: words(HELD),
  cap_eff: words(HELD),
  cap_bnd: words(HELD),
  groups: [0],
};
const USER_CREDS: Credentials = {
  ...ids(1000),
  groups: [2000],
  no_new_privs: 1,
  lsm_profile: "cri-containerd.apparmor.d",
};
const core = (creds: Credentials | undefined, more: object = {}): Core => ({
  tc: { task_state: 1 },
  thread_core: { ...(creds ? { creds } : {}), ...more },
});
const FILTERED = { seccomp_mode: 2, seccomp_filter: 0 };

const MOUNTS: Mount[] = [
  { fstype: 5, mnt_id: 9, parent_mnt_id: 2, flags: 1, root: "/null", mountpoint: "/proc/kcore", ext_key: "/dev/null" },
  { fstype: 1, mnt_id: 8, parent_mnt_id: 2, flags: 15, root: "/sys", mountpoint: "/proc/sys" },
  {
    fstype: 12,
    mnt_id: 7,
    parent_mnt_id: 6,
    flags: 15,
    root: "/kubepods/x",
    mountpoint: "/sys/fs/cgroup/cpu",
    ext_key: "/sys/fs/cgroup/cpu",
  },
  { fstype: 5, mnt_id: 6, parent_mnt_id: 5, flags: 14, root: "/", mountpoint: "/sys/fs/cgroup" },
  { fstype: 2, mnt_id: 5, parent_mnt_id: 1, flags: 15, root: "/", mountpoint: "/sys" },
  { fstype: 0, mnt_id: 4, parent_mnt_id: 1, flags: 0, root: "/pods/x", mountpoint: "/data", ext_key: "/data" },
  { fstype: 5, mnt_id: 10, parent_mnt_id: 1, flags: 1, root: "/", mountpoint: "/run/token", ext_key: "/run/token" },
  { fstype: 5, mnt_id: 3, parent_mnt_id: 1, flags: 2, root: "/", mountpoint: "/dev" },
  { fstype: 1, mnt_id: 2, parent_mnt_id: 1, flags: 14, root: "/", mountpoint: "/proc" },
  { fstype: 17, mnt_id: 1, parent_mnt_id: 0, flags: 0, root: "/", mountpoint: "/" },
];
const OF_NODE = {
  pid_ns_id: 1,
  net_ns_id: 2,
  ipc_ns_id: 3,
  uts_ns_id: 4,
  mnt_ns_id: 6,
  user_ns_id: 7,
  cgroup_ns_id: 8,
};
const OWN = {
  pid_ns_id: 9,
  net_ns_id: 10,
  ipc_ns_id: 11,
  uts_ns_id: 12,
  mnt_ns_id: 13,
  user_ns_id: 7,
  cgroup_ns_id: 8,
};

const images = (more: Partial<ProcessImages> = {}): ProcessImages => ({
  names: [
    "inventory.img",
    "pstree.img",
    "core-1.img",
    "mountpoints-13.img",
    "tmpfs-dev-146.tar.gz.img",
    "descriptors.json",
  ],
  inventory: { root_ids: OF_NODE, lsmtype: 2 },
  init: OWN,
  ids: new Map([
    [1, OWN],
    [7, OWN],
  ]),
  threads: [{ tid: 1, core: core(ROOT_CREDS), leader: core(ROOT_CREDS) }],
  filters: {},
  network: { ext_key: "extRootNetNS" },
  mounts: MOUNTS,
  files: [{ type: 1, id: 1, reg: { id: 1, name: "/bin/program" } }],
  ghostModes: [0o100600],
  ...more,
});
const withCore = (one: Core) => images({ threads: [{ tid: 7, core: one, leader: one }] });
/** Two threads, of which the first alone has filters in its image. */
const withThread = (flags: number): ProcessImages => {
  const leader = core(USER_CREDS, FILTERED);
  const other = { tid: 8, core: core(USER_CREDS, { seccomp_mode: 0 }), leader };
  return { ...asUser(), threads: [{ tid: 7, core: leader, leader }, other], filters: { seccomp_filters: [{ flags }] } };
};
const mounted = (mountpoint: string, change: Partial<Mount>) =>
  images({ mounts: MOUNTS.map((one) => (one.mountpoint === mountpoint ? { ...one, ...change } : one)) });
const without = (mountpoint: string) => images({ mounts: MOUNTS.filter((one) => one.mountpoint !== mountpoint) });
const more = (mount: Mount) => images({ mounts: [mount, ...MOUNTS] });
const open = (file: FileEntry) => images({ files: [file] });
const asUser = (creds: Credentials = {}, thread: object = FILTERED) => ({
  ...mounted("/", { flags: 1 }),
  threads: withCore(core({ ...USER_CREDS, ...creds }, thread)).threads,
});

describe("a checkpoint", () => {
  test.each<[string, ProcessImages, Granted]>([
    ["of a root container", images(), ROOT],
    ["of a restricted pod", asUser(), USER],
    ["whose root an earlier move has left writable", { ...asUser(), mounts: MOUNTS }, USER],
    ["whose volume an earlier move has left writable", mounted("/run/token", { flags: 0 }), ROOT],
    ["of a program that gave up root", withCore(core({ ...ROOT_CREDS, ...ids(999), cap_prm: [], cap_eff: [] })), ROOT],
    ["with threads that are given their first one's filters", withThread(1), USER],
    ["with a raw socket, where the pod may have one", open({ type: 4, id: 3, isk: { type: 3 } }), ROOT],
    ["in a profile's own child profile", asUser({ lsm_profile: "cri-containerd.apparmor.d//child" }), USER],
    [
      "from a node that hides more",
      more({ fstype: 5, mnt_id: 20, parent_mnt_id: 5, flags: 1, root: "/", mountpoint: "/sys/firmware" }),
      ROOT,
    ],
  ])("%s is let through", (_what, given, granted) => {
    expect(excessOf(given, granted)).toBeUndefined();
  });

  const threads: [string, ProcessImages, Granted, RegExp][] = [
    [
      "has a capability",
      withCore(core({ ...ROOT_CREDS, cap_prm: words([...HELD, "CAP_SYS_ADMIN"]) })),
      ROOT,
      /thread 7 has cap.*: CAP_SYS_ADMIN$/,
    ],
    ["may get a capability", withCore(core({ ...ROOT_CREDS, cap_bnd: words(CAPABILITIES) })), ROOT, /CAP_SYS_MODULE/],
    ["inherits a capability", withCore(core({ ...ROOT_CREDS, cap_inh: words(["CAP_BPF"]) })), ROOT, /CAP_BPF/],
    [
      "passes a capability on",
      withCore(core({ ...ROOT_CREDS, cap_amb: words(["CAP_SYS_PTRACE"]) })),
      ROOT,
      /CAP_SYS_PTRACE/,
    ],
    [
      "has a capability that has no name",
      withCore(core({ ...ROOT_CREDS, cap_prm: [0, 0x80000000] })),
      ROOT,
      /0x8000000000000000/,
    ],
    ["may gain privileges", asUser({ no_new_privs: 0 }), USER, /may gain new privileges/],
    ["is root", asUser({ uid: 0 }), USER, /runs as user 0/],
    ["keeps root for later", asUser({ suid: 0 }), USER, /runs as user 0/],
    ["is in a group", asUser({ groups: [0] }), USER, /runs as group 0/],
    ["is not confined", asUser({ lsm_profile: "other" }), USER, /is confined by other, not by cri-containerd/],
    [
      "has a label that only begins the same",
      asUser({ lsm_profile: "cri-containerd.apparmor.d-not" }),
      USER,
      /is confined by/,
    ],
    ["has no filter", asUser({}, { seccomp_mode: 0 }), USER, /thread 7 has no seccomp filter/],
    ["has no filter, and is not given one", withThread(2), USER, /thread 8 has no seccomp filter/],
    ["has no credentials", withCore(core(undefined)), ROOT, /has no credentials/],
    ["says of a thread that it has ended", withCore({ tc: { task_state: 2 } }), ROOT, /has no credentials/],
    ["runs before all others", withCore(core(ROOT_CREDS, { sched_policy: 1 })), ROOT, /in real time/],
  ];
  const namespaces: [string, ProcessImages, Granted, RegExp][] = (
    ["pid_ns_id", "net_ns_id", "ipc_ns_id", "uts_ns_id", "mnt_ns_id"] as const
  ).map((id) => [
    `is in the node's ${id}`,
    images({ init: { ...OWN, [id]: OF_NODE[id] } }),
    ROOT,
    /in no \w+ namespace of their own/,
  ]);
  const mounts: [string, ProcessImages, Granted, RegExp][] = [
    [
      "mounts a disk",
      more({ fstype: 16, mnt_id: 20, parent_mnt_id: 1, root: "/", mountpoint: "/mnt", source: "/dev/vda" }),
      ROOT,
      /at \/mnt is not of the pod's spec/,
    ],
    [
      "mounts another file system in a volume's place",
      mounted("/data", { fstype: 16, source: "/dev/vda", ext_key: undefined as never }),
      ROOT,
      /is not the volume that belongs there/,
    ],
    [
      "mounts one volume in another's place",
      mounted("/data", { ext_key: "/run/token" }),
      ROOT,
      /at \/data is not the volume/,
    ],
    ["mounts a disk in the place of /dev", mounted("/dev", { fstype: 16 }), ROOT, /at \/dev is not a tmpfs/],
    ["can write /sys", mounted("/sys", { flags: 14 }), ROOT, /at \/sys is not ro/],
    ["has devices on /proc", mounted("/proc", { flags: 10 }), ROOT, /at \/proc is not nodev/],
    ["can write a control group", mounted("/sys/fs/cgroup/cpu", { flags: 14 }), ROOT, /cgroup\/cpu can be written/],
    ["can write /proc/sys", mounted("/proc/sys", { flags: 14 }), ROOT, /\/proc\/sys is not of the pod's spec/],
    ["has nothing over /proc/sys", without("/proc/sys"), ROOT, /\/proc\/sys can be written/],
    ["shows the kernel's memory", without("/proc/kcore"), ROOT, /\/proc\/kcore is not hidden/],
    [
      "has /proc a second time, over all that hides",
      more({ fstype: 1, mnt_id: 20, parent_mnt_id: 2, flags: 14, root: "/", mountpoint: "/proc" }),
      ROOT,
      /\/proc is mounted twice/,
    ],
    ["hides below what hides", mounted("/proc/sys", { parent_mnt_id: 1 }), ROOT, /\/proc\/sys is hidden by another/],
    ["has a root from elsewhere", mounted("/", { ext_key: "/data" }), ROOT, /is not the container's root/],
  ];
  const others: [string, ProcessImages, Granted, RegExp][] = [
    ["has packet filters", images({ names: ["iptables-10.img"] }), ROOT, /an image iptables-10\.img/],
    ["has credentials in an old image", images({ names: ["creds-1.img"] }), ROOT, /creds-1/],
    ["has files in an old image", images({ names: ["reg-files.img"] }), ROOT, /reg-files/],
    [
      "comes from a node without AppArmor",
      { ...asUser(), inventory: { root_ids: OF_NODE, lsmtype: 0 } },
      USER,
      /not confined by apparmor/,
    ],
    [
      "has a process in another namespace",
      images({ ids: new Map([[7, { ...OWN, mnt_ns_id: 99 }]]) }),
      ROOT,
      /process 7 is in another mount namespace/,
    ],
    ["is not in the pod's network", images({ network: {} }), ROOT, /not in the pod's network/],
    [
      "has a raw socket",
      open({ type: 4, id: 3, isk: { type: 3 } }),
      { ...ROOT, bounding: 0n, permitted: 0n },
      /has capabilities|raw socket/,
    ],
    ["has a namespace open", open({ type: 14, id: 3 }), ROOT, /file 3 is of the kind 14/],
    ["has a tunnel", open({ type: 15, id: 3 }), ROOT, /of the kind 15/],
    ["watches a file system", open({ type: 12, id: 3 }), ROOT, /watches a whole file system/],
    [
      "marks packets",
      { ...asUser(), files: [{ type: 4, id: 3, isk: { type: 1, opts: { so_mark: 0xe00 } } }] },
      USER,
      /marks packets/,
    ],
    [
      "names a file by a way out",
      open({ type: 1, id: 3, reg: { name: "/tmp/../../etc/cron.d/x" } }),
      ROOT,
      /path with "\.\."/,
    ],
    ["makes a device", images({ ghostModes: [0o060600] }), ROOT, /is a device/],
  ];
  test.each([...threads, ...namespaces, ...mounts, ...others])("that %s is refused", (_what, given, granted, why) => {
    expect(excessOf(given, granted)).toMatch(why);
  });
});

test("a process is among those that the kernel ends as this node says", () => {
  const given: Core = { tc: { task_state: 1, comm: "x", oom_score_adj: -999 } };
  expect(withOomScore(given, ROOT)?.tc).toEqual({ task_state: 1, comm: "x", oom_score_adj: 1000 });
  expect(withOomScore({ tc: { oom_score_adj: 1000 } }, ROOT)).toBeUndefined();
  expect(withOomScore(given, { ...ROOT, bounding: capabilitySet(["CAP_SYS_RESOURCE"]) })).toBeUndefined();
  expect(withOomScore({ thread_core: {} }, ROOT)).toBeUndefined();
});

describe("seccomp filters", () => {
  test.each<[string, Core, number[]]>([
    ["where it says", { thread_core: { seccomp_mode: 2, seccomp_filter: 3 } }, [3]],
    ["at the first, as CRIU has it, when it does not say", { thread_core: { seccomp_mode: 2 } }, [0]],
    ["nowhere when it has none", { thread_core: { seccomp_mode: 0, seccomp_filter: 3 } }, []],
  ])("of a thread begin %s", (_what, given, places) => {
    expect(firstFilterOf(given)).toEqual(places);
  });

  const bytes = (...values: number[]) => new Uint8Array(values);
  // A thread names the filter that was set first; `prev` leads to the one that was set after it.
  const filters = {
    seccomp_filters: [{ filter: bytes(9) }, { filter: bytes(1), prev: 0, flags: 3 }, { filter: bytes(5) }],
  };

  test("have this node's first, and keep those that programs have set", () => {
    const { seccomp_filters: all = [] } = withFirstFilter(filters, [1, 1], { filter: bytes(7), flags: 0 });
    expect(all).toEqual([{ filter: bytes(9) }, { filter: bytes(7), flags: 1, prev: 0 }, { filter: bytes(5) }]);
  });

  test.each([
    ["a filter that is not there", filters, [3]],
    ["a chain without an end", { seccomp_filters: [{ filter: bytes(1), prev: 0 }] }, [0]],
  ])("with %s are refused", (_what, given, used) => {
    expect(() => withFirstFilter(given, used, { filter: bytes(7), flags: 0 })).toThrow(ImageError);
  });
});
