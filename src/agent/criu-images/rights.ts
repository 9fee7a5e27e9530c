/**
 * Does an image of a container hold more than its pod may have? A node that was taken over can send what it likes, and CRIU makes as root what an image
 * says. So the image is held against what containerd would start here for the pod's spec: nothing may exceed that. Pure.
 *
 * Not held: what is in the container's own files and memory, limits of resources, and niceness.
 */
import type { FileEntry } from "./definitions.ts";
import { ImageError } from "./message.ts";
import type {
  Core,
  Credentials,
  Filter,
  Filters,
  Inventory,
  Mount,
  NamespaceIds,
  Network,
} from "./process-definitions.ts";

/** Bits of https://github.com/torvalds/linux/blob/master/include/uapi/linux/mount.h */
const READ_ONLY = 1;
/** By the names that mount options have. */
export const MOUNT_FLAGS = { ro: READ_ONLY, rro: READ_ONLY, nosuid: 2, nodev: 4, noexec: 8 } as const;

export interface GrantedMount {
  /** In the container, links resolved. */
  destination: string;
  /** As the OCI runtime specification names it. */
  type: string;
  isBind: boolean;
  /** That it has at least. */
  flags: number;
}

/** What containerd would start the container with. */
export interface Granted {
  uid: number;
  /** The first is the process's own. */
  groups: readonly number[];
  /** As bits, by their numbers. */
  bounding: bigint;
  /** That a process without new privileges can ever have. */
  permitted: bigint;
  noNewPrivileges: boolean;
  /** AppArmor's profile or SELinux' label. */
  label: string | undefined;
  lsm: "apparmor" | "selinux" | undefined;
  hasFilter: boolean;
  /** Undefined: the kernel's own. */
  oomScoreAdj: number | undefined;
  /** Kinds, as the OCI runtime specification names them. */
  namespaces: readonly string[];
  mounts: readonly GrantedMount[];
  readOnlyRoot: boolean;
  /** Paths of this kernel that the container does not see. */
  hidden: readonly string[];
  /** Paths of this kernel that it does not write. */
  readOnly: readonly string[];
}

export interface Thread {
  tid: number;
  core: Core;
  /** Of its process's first thread: its own, or another. */
  leader: Core;
}

export interface ProcessImages {
  /** Names of all images. */
  names: readonly string[];
  inventory: Inventory;
  /** Of the first process. */
  init: NamespaceIds;
  /** By process. */
  ids: ReadonlyMap<number, NamespaceIds>;
  /** Of processes that have not ended. */
  threads: readonly Thread[];
  filters: Filters;
  network: Network;
  mounts: readonly Mount[];
  files: readonly FileEntry[];
  /** Modes of unlinked files. */
  ghostModes: readonly number[];
}

/** What exceeds what is granted, in words; undefined: nothing does. */
export function excessOf(images: ProcessImages, granted: Granted): string | undefined {
  return (
    unknownImage(images.names) ??
    first(images.threads, (thread) =>
      within(`thread ${thread.tid}`, excessOfThread(thread, images.filters, granted)),
    ) ??
    excessOfLsm(images.inventory, granted) ??
    excessOfNamespaces(images, granted) ??
    excessOfMounts(images.mounts, granted) ??
    first(images.files, (file) => excessOfFile(file, granted)) ??
    (images.ghostModes.some(isDevice) ? "an unlinked file is a device" : undefined)
  );
}

const NUMBERED =
  "core|ids|mm|fs|fdinfo|pagemap|pagemap-shmem|pages|mountpoints|netns|utsns|timens|pidns|ipcns-(var|shm|msg|sem)";
const SINGLE =
  "inventory|pstree|files|cgroup|seccomp|sk-queues|pipes-data|fifo-data|tty-info|tty-data|remap-fpath|filelocks|memfd";
const KNOWN_IMAGES = new RegExp(
  `^((${SINGLE}|(${NUMBERED})-\\d+|(ghost-file|tcp-stream)-[0-9a-f]+|tmpfs-(dev-)?\\d+\\.tar\\.gz)\\.img|(descriptors|cpus)\\.json)$`,
);

/** CRIU makes interfaces, routes, packet filters and more from images that no container's dump has. */
function unknownImage(names: readonly string[]): string | undefined {
  const unknown = names.find((name) => !KNOWN_IMAGES.test(name));
  return unknown === undefined
    ? undefined
    : `there is an image ${unknown}, which a container's checkpoint does not have`;
}

const TASK_DEAD = 2;

/** It has ended, and was not waited for: CRIU makes a process that ends at once, and none of its threads. */
export const hasEnded = ({ tc }: Core): boolean => tc?.task_state === TASK_DEAD;

const SECCOMP_FILTER = 2;
const REAL_TIME_POLICIES = new Set([1, 2, 6]);

/** By their numbers: https://github.com/torvalds/linux/blob/master/include/uapi/linux/capability.h */
export const CAPABILITIES = [
  ..."CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE".split(" "),
  ..."NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT".split(" "),
  ..."SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE".split(" "),
  ..."AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ".split(" "),
  ..."PERFMON BPF CHECKPOINT_RESTORE".split(" "),
].map((name) => `CAP_${name}`);

/** Names that this version does not know give nothing. */
export function capabilitySet(names: readonly string[]): bigint {
  return names.reduce((set, name) => {
    const number = CAPABILITIES.indexOf(name);
    return number < 0 ? set : set | (1n << BigInt(number));
  }, 0n);
}

const holds = (set: bigint, name: string): boolean => (set & capabilitySet([name])) !== 0n;
const ofWords = (words: readonly number[] = []): bigint =>
  words.reduce((set, word, index) => set | (BigInt(word) << BigInt(32 * index)), 0n);

function excessOfThread({ core, leader }: Thread, filters: Filters, granted: Granted): string | undefined {
  const thread = core.thread_core;
  const { creds } = thread ?? {};
  if (thread === undefined || creds === undefined) return "has no credentials";
  if (granted.hasFilter && !isFiltered(core) && !givesFilters(leader, filters)) return "has no seccomp filter";
  if (REAL_TIME_POLICIES.has(thread.sched_policy ?? 0) && !holds(granted.bounding, "CAP_SYS_NICE"))
    return "is scheduled in real time";
  return excessOfCapabilities(creds, granted) ?? excessOfUser(creds, granted) ?? excessOfLabel(creds, granted);
}

function excessOfCapabilities(creds: Credentials, granted: Granted): string | undefined {
  const held = [creds.cap_inh, creds.cap_prm, creds.cap_eff, creds.cap_amb].map(ofWords).reduce((a, b) => a | b, 0n);
  const mayHold = granted.noNewPrivileges ? granted.permitted : granted.bounding;
  const excess = (held & ~mayHold) | (ofWords(creds.cap_bnd) & ~granted.bounding);
  if (excess === 0n) return undefined;
  const names = CAPABILITIES.filter((_, number) => (excess & (1n << BigInt(number))) !== 0n);
  return `has capabilities that the pod may not have: ${names.join(", ") || `0x${excess.toString(16)}`}`;
}

/** A program that may gain privileges can become any user by a file that is set-user-ID. */
function excessOfUser(creds: Credentials, granted: Granted): string | undefined {
  if (!granted.noNewPrivileges) return undefined;
  if (!creds.no_new_privs) return "may gain new privileges";
  const { uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups = [] } = creds;
  const user = [uid, euid, suid, fsuid].find((id) => id !== granted.uid);
  if (user !== undefined && !holds(granted.permitted, "CAP_SETUID")) return `runs as user ${user}`;
  const group = [gid, egid, sgid, fsgid, ...groups].find((id) => id !== undefined && !granted.groups.includes(id));
  if (group !== undefined && !holds(granted.permitted, "CAP_SETGID")) return `runs as group ${group}`;
  return undefined;
}

function excessOfLabel(
  { lsm_profile: profile, lsm_sockcreate: sockets }: Credentials,
  granted: Granted,
): string | undefined {
  const { label } = granted;
  if (label === undefined) return undefined;
  for (const held of [profile, sockets ?? profile])
    if (held !== label && !held?.startsWith(`${label}//`))
      return `is confined by ${held ?? "nothing"}, not by ${label}`;
  return undefined;
}

const LSM_TYPES = { selinux: 1, apparmor: 2 };

/** CRIU only sets labels of the module that the dump was made under. */
function excessOfLsm({ lsmtype }: Inventory, { label, lsm }: Granted): string | undefined {
  if (label === undefined || lsm === undefined || lsmtype === LSM_TYPES[lsm]) return undefined;
  return `the processes are not confined by ${lsm}`;
}

const NAMESPACE_IDS = [
  ["pid", "pid_ns_id"],
  ["network", "net_ns_id"],
  ["ipc", "ipc_ns_id"],
  ["uts", "uts_ns_id"],
  ["mount", "mnt_ns_id"],
] as const satisfies [string, keyof NamespaceIds][];

/** The name by which runc gives CRIU the pod's network namespace. */
const POD_NETWORK = "extRootNetNS";

/** What is not in a namespace of its own would be in the node's. */
function excessOfNamespaces({ init, ids, inventory, network }: ProcessImages, granted: Granted): string | undefined {
  for (const [kind, id] of NAMESPACE_IDS) {
    const own = init[id];
    if (granted.namespaces.includes(kind) && (own === undefined || own === inventory.root_ids?.[id]))
      return `the processes are in no ${kind} namespace of their own`;
    for (const [pid, other] of ids) if (other[id] !== own) return `process ${pid} is in another ${kind} namespace`;
  }
  if (granted.namespaces.includes("network") && network.ext_key !== POD_NETWORK)
    return "the processes are not in the pod's network";
  return undefined;
}

/** By CRIU's numbers. */
const FILE_SYSTEMS: Readonly<Record<string, readonly number[]>> = {
  proc: [1],
  sysfs: [2],
  tmpfs: [5],
  devpts: [6],
  cgroup: [12, 23, 5], // version 1: a tmpfs with a mount for each controller
  mqueue: [14],
};
const PROC = 1;
const TMPFS = 5;
const DEVPTS = 6;

const isBelow = (path: string, folder: string): boolean => path.startsWith(folder === "/" ? "/" : `${folder}/`);
const isReadOnly = ({ flags = 0, sb_flags = 0 }: Mount): boolean => ((flags | sb_flags) & READ_ONLY) !== 0;

function excessOfMounts(mounts: readonly Mount[], granted: Granted): string | undefined {
  const places = mounts.map(({ mountpoint = "" }) => mountpoint);
  const twice = places.find((place, index) => places.indexOf(place) !== index);
  if (twice !== undefined) return `${twice} is mounted twice`;
  const excess = first(mounts, (mount) =>
    within(`the mount at ${mount.mountpoint}`, excessOfMount(mount, mounts, granted)),
  );
  if (excess !== undefined) return excess;
  const at = (path: string) => mounts.find(({ mountpoint }) => mountpoint === path);
  const seen = granted.hidden.find((path) => at(path) === undefined);
  if (seen !== undefined) return `${seen} is not hidden`;
  const written = granted.readOnly.find((path) => !(at(path) && isReadOnly(at(path) ?? {})));
  return written === undefined ? undefined : `${written} can be written`;
}

function excessOfMount(mount: Mount, mounts: readonly Mount[], granted: Granted): string | undefined {
  const { mountpoint = "", ext_key: key } = mount;
  if (mountpoint === "/") return key === undefined ? undefined : "is not the container's root";
  const around = mounts
    .filter((other) => isBelow(mountpoint, other.mountpoint ?? ""))
    .reduce<Mount | undefined>(
      (a, b) => (a && (a.mountpoint ?? "").length > (b.mountpoint ?? "").length ? a : b),
      undefined,
    );
  if (around === undefined || mount.parent_mnt_id !== around.mnt_id) return "is hidden by another";
  const own = granted.mounts.find(({ destination }) => destination === mountpoint);
  if (own) return excessOfOwnMount(mount, own);
  const cgroups = granted.mounts.find(({ type, destination }) => type === "cgroup" && isBelow(mountpoint, destination));
  if (cgroups && key === mountpoint)
    return (cgroups.flags & READ_ONLY) !== 0 && !isReadOnly(mount) ? "can be written" : undefined;
  if (isMask(mount) || (mountpoint === "/dev/console" && mount.fstype === DEVPTS && key === undefined))
    return undefined;
  return "is not of the pod's spec";
}

/** CRIU forgets some flags of volumes and of the root: they are set again before the copy runs, whatever the images say. */
function excessOfOwnMount(mount: Mount, { destination, type, isBind, flags }: GrantedMount): string | undefined {
  if (isBind) return mount.ext_key === destination ? undefined : "is not the volume that belongs there";
  const isOfType = FILE_SYSTEMS[type]?.includes(mount.fstype ?? 0) && (mount.root === "/" || type === "cgroup");
  if (mount.ext_key !== undefined || !isOfType) return `is not a ${type}`;
  // The tmpfs that holds the mounts of version 1 is not read-only itself.
  const needed = type === "cgroup" && mount.fstype === TMPFS ? flags & ~MOUNT_FLAGS.ro : flags;
  const held = (mount.flags ?? 0) | (mount.sb_flags ?? 0);
  const lacking = Object.entries(MOUNT_FLAGS).find(([, bit]) => (needed & bit & ~held) !== 0);
  return lacking && `is not ${lacking[0]}`;
}

/** Hides a path of the kernel's, or keeps it from being written. */
function isMask(mount: Mount): boolean {
  const { mountpoint = "", ext_key: key, fstype } = mount;
  if (!isBelow(mountpoint, "/proc") && !isBelow(mountpoint, "/sys")) return false;
  if (key !== undefined) return key === "/dev/null";
  if (fstype === PROC) return isReadOnly(mount) && mountpoint === `/proc${mount.root}`;
  return fstype === TMPFS && isReadOnly(mount);
}

/** Types of open files, by CRIU's numbers. */
const FILE_TYPES = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18]);
const PACKET_SOCKET = 10;
const FANOTIFY = 12;
const SOCK_RAW = 3;

function excessOfFile({ type = 0, id, reg, isk }: FileEntry, { bounding }: Granted): string | undefined {
  const isRaw = type === PACKET_SOCKET || isk?.type === SOCK_RAW;
  if (!FILE_TYPES.has(type)) return `file ${id} is of the kind ${type}, which no container may have open`;
  if (isRaw && !holds(bounding, "CAP_NET_RAW")) return `file ${id} is a raw socket`;
  if (type === FANOTIFY && !holds(bounding, "CAP_SYS_ADMIN")) return `file ${id} watches a whole file system`;
  const isMarked = (isk?.opts?.so_mark ?? 0) !== 0;
  if (isMarked && !holds(bounding, "CAP_NET_ADMIN") && !holds(bounding, "CAP_NET_RAW"))
    return `file ${id} marks packets`;
  return reg?.name?.split("/").includes("..") ? `file ${id} is named by a path with ".."` : undefined;
}

const FILE_KIND = 0o170000;
const isDevice = (mode: number): boolean => [0o020000, 0o060000].includes(mode & FILE_KIND);

/** A process that the kernel should rather end here than there is marked so here, too; undefined: it is. */
export function withOomScore(core: Core, granted: Granted): Core | undefined {
  const least = granted.oomScoreAdj;
  if (least === undefined || core.tc === undefined || holds(granted.bounding, "CAP_SYS_RESOURCE")) return undefined;
  if ((core.tc.oom_score_adj ?? 0) >= least) return undefined;
  return { ...core, tc: { ...core.tc, oom_score_adj: least } };
}

const isFiltered = ({ thread_core: thread }: Core): boolean => thread?.seccomp_mode === SECCOMP_FILTER;

/** Where the chain of a thread's filters begins. */
export function firstFilterOf(core: Core): number[] {
  return isFiltered(core) ? [core.thread_core?.seccomp_filter ?? 0] : [];
}

/** SECCOMP_FILTER_FLAG_TSYNC: where all threads of a process have the same filters, CRIU gives them to the first, which hands them on. */
const TO_ALL_THREADS = 1;

function givesFilters(leader: Core, { seccomp_filters: filters = [] }: Filters): boolean {
  return firstFilterOf(leader).some((place) => ((filters[place]?.flags ?? 0) & TO_ALL_THREADS) !== 0);
}

/**
 * The first filter of every process is the runtime's: it becomes the one that the runtime sets here. Those that programs have set since stay. Throws an
 * ImageError when the filters are no chains.
 * @param used the place of the first filter of each thread
 */
export function withFirstFilter(
  { seccomp_filters: filters = [] }: Filters,
  used: readonly number[],
  own: Filter,
): Filters {
  const lost = used.find((place) => filters[place] === undefined);
  if (lost !== undefined) throw new ImageError(`seccomp.img has no filter ${lost}`);
  const endless = filters.findIndex(({ prev }, place) => prev !== undefined && prev >= place);
  if (endless >= 0) throw new ImageError(`seccomp.img: filter ${endless} leads to one after it`);
  const firsts = new Set(used);
  const replaced = ({ prev, flags = 0 }: Filter): Filter => ({
    ...own,
    flags: (own.flags ?? 0) | (flags & TO_ALL_THREADS),
    ...(prev === undefined ? {} : { prev }),
  });
  return { seccomp_filters: filters.map((one, place) => (firsts.has(place) ? replaced(one) : one)) };
}

function within(what: string, excess: string | undefined): string | undefined {
  return excess === undefined ? undefined : `${what} ${excess}`;
}

function first<T>(all: Iterable<T>, excess: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const found = excess(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
