/**
 * Messages and files of CRIU 4.2's images, after its definitions (https://github.com/checkpoint-restore/criu/tree/v4.2/images). Names and numbers are theirs.
 * What is `bytes` here and a message there is carried as it is.
 */
import type { ImageKind } from "./image-file.ts";
import {
  bool,
  bytes,
  Definition,
  fixed64,
  type MessageOf,
  many,
  one,
  sint32,
  text,
  uint32,
  uint64,
} from "./message.ts";

const owner = new Definition("fown_entry", {
  uid: one(1, uint32),
  euid: one(2, uint32),
  signum: one(3, uint32),
  pid_type: one(4, uint32),
  pid: one(5, uint32),
});

const regularFile = new Definition("reg_file_entry", {
  id: one(1, uint32),
  flags: one(2, uint32),
  pos: one(3, uint64),
  fown: one(5, owner),
  name: one(6, text),
  mnt_id: one(7, sint32),
  size: one(8, uint64),
  ext: one(9, bool),
  mode: one(10, uint32),
  build_id: many(11, uint32),
  checksum: one(12, uint32),
  checksum_config: one(13, uint32),
  checksum_parameter: one(14, uint32),
});
export type RegularFile = MessageOf<typeof regularFile>;

const socketOptions = new Definition("sk_opts_entry", {
  so_sndbuf: one(1, uint32),
  so_rcvbuf: one(2, uint32),
  so_snd_tmo_sec: one(3, uint64),
  so_snd_tmo_usec: one(4, uint64),
  so_rcv_tmo_sec: one(5, uint64),
  so_rcv_tmo_usec: one(6, uint64),
  reuseaddr: one(7, bool),
  so_priority: one(8, uint32),
  so_rcvlowat: one(9, uint32),
  so_mark: one(10, uint32),
  so_passcred: one(11, bool),
  so_passsec: one(12, bool),
  so_dontroute: one(13, bool),
  so_no_check: one(14, bool),
  so_bound_dev: one(15, text),
  so_filter: many(16, fixed64),
  so_reuseport: one(17, bool),
  so_broadcast: one(18, bool),
  so_keepalive: one(19, bool),
  tcp_keepcnt: one(20, uint32),
  tcp_keepidle: one(21, uint32),
  tcp_keepintvl: one(22, uint32),
  so_oobinline: one(23, uint32),
  so_linger: one(24, uint32),
  so_buf_lock: one(25, uint32),
});

const rawOptions = new Definition("ip_opts_raw_entry", {
  hdrincl: one(1, bool),
  nodefrag: one(2, bool),
  checksum: one(3, bool),
  icmpv_filter: many(4, uint32),
});

const ipOptions = new Definition("ip_opts_entry", {
  freebind: one(1, bool),
  raw: one(4, rawOptions),
  pktinfo: one(5, bool),
  tos: one(6, uint32),
  ttl: one(7, uint32),
});

const tcpOptions = new Definition("tcp_opts_entry", {
  cork: one(1, bool),
  nodelay: one(2, bool),
  keepcnt: one(3, uint32),
  keepidle: one(4, uint32),
  keepintvl: one(5, uint32),
});

/** Addresses are words whose bytes, the lowest first, are the address's: one word for IPv4, four for IPv6. */
const inetSocket = new Definition("inet_sk_entry", {
  id: one(1, uint32),
  ino: one(2, uint32),
  family: one(3, uint32),
  type: one(4, uint32),
  proto: one(5, uint32),
  state: one(6, uint32),
  src_port: one(7, uint32),
  dst_port: one(8, uint32),
  flags: one(9, uint32),
  backlog: one(10, uint32),
  src_addr: many(11, uint32),
  dst_addr: many(12, uint32),
  fown: one(13, owner),
  opts: one(14, socketOptions),
  v6only: one(15, bool),
  ip_opts: one(16, ipOptions),
  ifname: one(17, text),
  ns_id: one(18, uint32),
  shutdown: one(19, uint32),
  tcp_opts: one(20, tcpOptions),
});
export type InetSocket = MessageOf<typeof inetSocket>;

const timerFile = new Definition("timerfd_entry", {
  id: one(1, uint32),
  flags: one(2, uint32),
  fown: one(3, owner),
  clockid: one(4, uint32),
  ticks: one(5, uint64),
  settime_flags: one(6, uint32),
  vsec: one(7, uint64),
  vnsec: one(8, uint64),
  isec: one(9, uint64),
  insec: one(10, uint64),
});

const fileHandle = new Definition("fh_entry", {
  bytes: one(1, uint32),
  type: one(2, uint32),
  handle: many(3, uint64),
  path: one(4, text),
  mnt_id: one(5, uint32),
});

const watchEntry = new Definition("inotify_wd_entry", {
  id: one(1, uint32),
  i_ino: one(2, uint64),
  mask: one(3, uint32),
  ignored_mask: one(4, uint32),
  s_dev: one(5, uint32),
  wd: one(6, uint32),
  f_handle: one(7, fileHandle),
});

const inotifyFile = new Definition("inotify_file_entry", {
  id: one(1, uint32),
  flags: one(2, uint32),
  fown: one(4, owner),
  wd: many(5, watchEntry),
});

const fileEntry = new Definition("file_entry", {
  type: one(1, uint32),
  id: one(2, uint32),
  reg: one(3, regularFile),
  isk: one(4, inetSocket),
  nsf: one(5, bytes),
  psk: one(6, bytes),
  nlsk: one(7, bytes),
  efd: one(8, bytes),
  epfd: one(9, bytes),
  sgfd: one(10, bytes),
  tunf: one(11, bytes),
  tfd: one(12, timerFile),
  ify: one(13, inotifyFile),
  ffy: one(14, bytes),
  ext: one(15, bytes),
  usk: one(16, bytes),
  fifo: one(17, bytes),
  pipe: one(18, bytes),
  tty: one(19, bytes),
  memfd: one(20, bytes),
  bpf: one(21, bytes),
  pidfd: one(22, bytes),
});
/** What a descriptor stands for: one of its messages, as `type` tells. */
export type FileEntry = MessageOf<typeof fileEntry>;

/** Everything that the container's processes have open, mapped, or as their folders. */
export const FILES: ImageKind<FileEntry> = { name: "files.img", magic: 0x56303138, entry: fileEntry };

/** Sequence numbers: `inq_seq` is the next byte to come, `outq_seq` the next to be written. */
const tcpStream = new Definition("tcp_stream_entry", {
  inq_len: one(1, uint32),
  inq_seq: one(2, uint32),
  outq_len: one(3, uint32),
  outq_seq: one(4, uint32),
  opt_mask: one(5, uint32),
  snd_wscale: one(6, uint32),
  mss_clamp: one(7, uint32),
  rcv_wscale: one(8, uint32),
  timestamp: one(9, uint32),
  cork: one(10, bool),
  nodelay: one(11, bool),
  unsq_len: one(12, uint32),
  snd_wl1: one(13, uint32),
  snd_wnd: one(14, uint32),
  max_window: one(15, uint32),
  rcv_wnd: one(16, uint32),
  rcv_wup: one(17, uint32),
});
export type TcpStream = MessageOf<typeof tcpStream>;

/** Of one TCP connection: a single entry, then the bytes that were received and not read, and those that were sent and not acknowledged. */
export const tcpStreamOf = (ino: number): ImageKind<TcpStream> => ({
  name: `tcp-stream-${ino.toString(16)}.img`,
  magic: 0x51465506,
  entry: tcpStream,
});

const processEntry = new Definition("pstree_entry", {
  pid: one(1, uint32),
  ppid: one(2, uint32),
  pgid: one(3, uint32),
  sid: one(4, uint32),
  threads: many(5, uint32),
});
/** The container's processes, as its PID namespace numbers them. */
export const PROCESSES: ImageKind<MessageOf<typeof processEntry>> = {
  name: "pstree.img",
  magic: 0x50273030,
  entry: processEntry,
};

const pagemapEntry = new Definition("pagemap_entry", {
  vaddr: one(1, uint64),
  compat_nr_pages: one(2, uint32),
  in_parent: one(3, bool),
  flags: one(4, uint32),
  nr_pages: one(5, uint64),
});
/** Of one process. The first entry is a `pagemap_head`, with the number of its file of pages in the place of an address. */
export const pagemapOf = (pid: number): ImageKind<MessageOf<typeof pagemapEntry>> => ({
  name: `pagemap-${pid}.img`,
  magic: 0x56084025,
  entry: pagemapEntry,
});
