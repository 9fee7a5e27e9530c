/**
 * Messages and files of CRIU 4.2's images that say what a container's processes may do: credentials, filters, namespaces, mounts. As in ./definitions.ts,
 * names and numbers are CRIU's; fields that it no longer writes are left out, so that they are refused.
 */
import type { ImageKind } from "./image-file.ts";
import { bool, bytes, Definition, int32, type MessageOf, many, one, sint32, text, uint32, uint64 } from "./message.ts";

const namespaceIds = new Definition("task_kobj_ids_entry", {
  vm_id: one(1, uint32),
  files_id: one(2, uint32),
  fs_id: one(3, uint32),
  sighand_id: one(4, uint32),
  pid_ns_id: one(5, uint32),
  net_ns_id: one(6, uint32),
  ipc_ns_id: one(7, uint32),
  uts_ns_id: one(8, uint32),
  mnt_ns_id: one(9, uint32),
  user_ns_id: one(10, uint32),
  cgroup_ns_id: one(11, uint32),
  time_ns_id: one(12, uint32),
});
export type NamespaceIds = MessageOf<typeof namespaceIds>;
/** Of one process: in which namespaces it is, and what it shares with others. */
export const idsOf = (pid: number): ImageKind<NamespaceIds> => ({
  name: `ids-${pid}.img`,
  magic: 0x54432030,
  entry: namespaceIds,
});

const inventory = new Definition("inventory_entry", {
  img_version: one(1, uint32),
  fdinfo_per_id: one(2, bool),
  root_ids: one(3, namespaceIds),
  ns_per_id: one(4, bool),
  root_cg_set: one(5, uint32),
  lsmtype: one(6, uint32),
  dump_uptime: one(8, uint64),
  pre_dump_mode: one(9, uint32),
  tcp_close: one(10, bool),
  network_lock_method: one(11, uint32),
  plugins_entry: one(12, bytes),
  dump_criu_run_id: one(13, text),
  allow_uprobes: one(14, bool),
});
export type Inventory = MessageOf<typeof inventory>;
/** A single entry. `root_ids` are the namespaces of the node that was dumped on. */
export const INVENTORY: ImageKind<Inventory> = {
  name: "inventory.img",
  magic: 0x58313116,
  lacksCommonMagic: true,
  entry: inventory,
};

/** Sets of capabilities are words of 32, the lowest first. */
const credentials = new Definition("creds_entry", {
  uid: one(1, uint32),
  gid: one(2, uint32),
  euid: one(3, uint32),
  egid: one(4, uint32),
  suid: one(5, uint32),
  sgid: one(6, uint32),
  fsuid: one(7, uint32),
  fsgid: one(8, uint32),
  cap_inh: many(9, uint32),
  cap_prm: many(10, uint32),
  cap_eff: many(11, uint32),
  cap_bnd: many(12, uint32),
  secbits: one(13, uint32),
  groups: many(14, uint32),
  lsm_profile: one(15, text),
  lsm_sockcreate: one(16, text),
  no_new_privs: one(18, uint32),
  cap_amb: many(19, uint32),
});
export type Credentials = MessageOf<typeof credentials>;

const taskCore = new Definition("task_core_entry", {
  task_state: one(1, uint32),
  exit_code: one(2, uint32),
  personality: one(3, uint32),
  flags: one(4, uint32),
  blk_sigset: one(5, uint64),
  comm: one(6, text),
  timers: one(7, bytes),
  rlimits: one(8, bytes),
  cg_set: one(9, uint32),
  signals_s: one(10, bytes),
  loginuid: one(13, uint32),
  oom_score_adj: one(14, int32),
  sigactions: many(15, bytes),
  child_subreaper: one(18, bool),
  blk_sigset_extended: one(20, uint64),
  stop_signo: one(21, uint32),
  membarrier_registration_mask: one(22, uint32),
});

const threadCore = new Definition("thread_core_entry", {
  futex_rla: one(1, uint64),
  futex_rla_len: one(2, uint32),
  sched_nice: one(3, sint32),
  sched_policy: one(4, uint32),
  sched_prio: one(5, uint32),
  blk_sigset: one(6, uint64),
  sas: one(7, bytes),
  pdeath_sig: one(8, uint32),
  signals_p: one(9, bytes),
  creds: one(10, credentials),
  seccomp_mode: one(11, uint32),
  seccomp_filter: one(12, uint32),
  comm: one(13, text),
  blk_sigset_extended: one(14, uint64),
  rseq_entry: one(15, bytes),
  cg_set: one(16, uint32),
});

const core = new Definition("core_entry", {
  mtype: one(1, uint32),
  thread_info: one(2, bytes),
  ti_aarch64: one(8, bytes),
  tc: one(3, taskCore),
  thread_core: one(5, threadCore),
});
export type Core = MessageOf<typeof core>;
/** Of one thread; `tc` only of a process's first. A single entry. */
export const coreOf = (tid: number): ImageKind<Core> => ({ name: `core-${tid}.img`, magic: 0x55053847, entry: core });

const mount = new Definition("mnt_entry", {
  fstype: one(1, uint32),
  mnt_id: one(2, uint32),
  root_dev: one(3, uint32),
  parent_mnt_id: one(4, uint32),
  flags: one(5, uint32),
  root: one(6, text),
  mountpoint: one(7, text),
  source: one(8, text),
  options: one(9, text),
  shared_id: one(10, uint32),
  master_id: one(11, uint32),
  internal_sharing: one(15, bool),
  deleted: one(16, bool),
  sb_flags: one(17, uint32),
  ext_key: one(18, text),
});
export type Mount = MessageOf<typeof mount>;
export const mountsOf = (namespaceId: number): ImageKind<Mount> => ({
  name: `mountpoints-${namespaceId}.img`,
  magic: 0x55563928,
  entry: mount,
});

const network = new Definition("netns_entry", { ext_key: one(8, text) });
export type Network = MessageOf<typeof network>;
/** Of a network namespace that CRIU is given: it has only the name under which it is given. */
export const networkOf = (namespaceId: number): ImageKind<Network> => ({
  name: `netns-${namespaceId}.img`,
  magic: 0x55933752,
  entry: network,
});

const filter = new Definition("seccomp_filter", {
  filter: one(1, bytes),
  prev: one(2, uint32),
  flags: one(3, uint32),
});
export type Filter = MessageOf<typeof filter>;
const filters = new Definition("seccomp_entry", { seccomp_filters: many(1, filter) });
export type Filters = MessageOf<typeof filters>;
/** A single entry. A thread names the place of the filter that was set first; a filter's `prev` is the place of the one that was set after it. */
export const FILTERS: ImageKind<Filters> = { name: "seccomp.img", magic: 0x64413049, entry: filters };

const ghostFile = new Definition("ghost_file_entry", {
  uid: one(1, uint32),
  gid: one(2, uint32),
  mode: one(3, uint32),
  dev: one(4, uint32),
  ino: one(5, uint64),
  rdev: one(6, uint32),
  atim: one(7, bytes),
  mtim: one(8, bytes),
  chunks: one(9, bool),
  size: one(10, uint64),
  symlnk_target: one(11, text),
});
/** An unlinked file: a single entry, then its content. */
export const ghostFileNamed = (name: string): ImageKind<MessageOf<typeof ghostFile>> => ({
  name,
  magic: 0x52583605,
  entry: ghostFile,
});
