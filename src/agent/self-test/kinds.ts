/** The kinds of containers that a node proves itself with: what each is run with, and which of them a pod's processes are. */
import { confinementOf } from "../host/confinement.ts";
import { readIfThere } from "../host/files.ts";
import type { Kind } from "../protocol.ts";

/** What containerd gives a container that asks for nothing. */
const DEFAULT_CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW"]
  .concat(["CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"])
  .concat(["CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]);
const SOME_USER = 65534;

export interface KindOptions {
  uid: number;
  capabilities: readonly string[];
  noNewPrivileges: boolean;
  seccomp: boolean;
  apparmor: boolean;
  /** It is dumped in rounds, each of which holds what changed since the last. */
  dirtyTracking: boolean;
  /** The memory is filled in while the container runs already. */
  lazyPages: boolean;
}

const ROOT: KindOptions = {
  uid: 0,
  capabilities: DEFAULT_CAPABILITIES,
  noNewPrivileges: false,
  seccomp: false,
  apparmor: false,
  dirtyTracking: false,
  lazyPages: false,
};

export interface Kernel {
  /** Containers are confined by AppArmor. */
  apparmor: boolean;
  /** It tells which pages of a process have changed. */
  tracksChanges: boolean;
}

export function kindsToTry({ apparmor, tracksChanges }: Kernel): { kind: Kind; options: KindOptions }[] {
  return [
    { kind: "root", options: ROOT },
    { kind: "user", options: { ...ROOT, uid: SOME_USER, capabilities: [], noNewPrivileges: true } },
    { kind: "seccomp", options: { ...ROOT, seccomp: true } },
    ...(apparmor ? [{ kind: "apparmor" as const, options: { ...ROOT, apparmor } }] : []),
    ...(tracksChanges ? [{ kind: "dirtyTracking" as const, options: { ...ROOT, dirtyTracking: true } }] : []),
    { kind: "lazyPages", options: { ...ROOT, lazyPages: true } },
  ];
}

/** The kinds of a running process that matter for its dump and restore. */
export function kindsOfProcess(pid: number): Kind[] {
  const status = readIfThere(`/proc/${pid}/status`) ?? "";
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? "0";
  return [
    uid === "0" ? "root" : "user",
    ...(/^Seccomp:\s+2$/m.test(status) ? (["seccomp"] as const) : []),
    ...(confinementOf(pid) === "apparmor" ? (["apparmor"] as const) : []),
  ];
}
