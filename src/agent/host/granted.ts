/** What the pod of a container whose `create` waits may do, by the configuration that containerd has written for it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { capabilitySet, type Granted, MOUNT_FLAGS } from "../criu-images/rights.ts";
import { bundleOf } from "./containers.ts";
import type { Host } from "./host.ts";
import { inContainer } from "./target-bundle.ts";

const names = z.array(z.string()).default([]);
const configSchema = z.object({
  root: z.object({ readonly: z.boolean().default(false) }).default({ readonly: false }),
  process: z.object({
    user: z.object({ uid: z.int(), gid: z.int(), additionalGids: z.array(z.int()).default([]) }),
    capabilities: z
      .object({ bounding: names, permitted: names, inheritable: names, ambient: names })
      .default({ bounding: [], permitted: [], inheritable: [], ambient: [] }),
    noNewPrivileges: z.boolean().default(false),
    apparmorProfile: z.string().default(""),
    selinuxLabel: z.string().default(""),
    oomScoreAdj: z.int().optional(),
  }),
  mounts: z.array(z.object({ destination: z.string(), type: z.string().default(""), options: names })).default([]),
  linux: z.object({
    namespaces: z.array(z.object({ type: z.string() })).default([]),
    maskedPaths: names,
    readonlyPaths: names,
    seccomp: z.looseObject({}).optional(),
  }),
});

/**
 * Hidden by every containerd that is supported. What later versions hide besides tells something, and gives nothing: a pod that comes
 * from an older one goes on seeing it.
 */
const LONG_HIDDEN = [
  "acpi",
  "asound",
  "kcore",
  "keys",
  "latency_stats",
  "sched_debug",
  "scsi",
  "timer_list",
  "timer_stats",
]
  .map((name) => `/proc/${name}`)
  .concat("/sys/firmware");

const flagsOf = (options: readonly string[]): number =>
  Object.entries(MOUNT_FLAGS).reduce((flags, [name, bit]) => (options.includes(name) ? flags | bit : flags), 0);

export interface GrantedHere {
  granted: Granted;
  /** Of seccomp, as the OCI runtime specification has it. */
  profile: object | undefined;
}

export function grantedOf(host: Host, container: string): GrantedHere {
  const bundle = bundleOf(host, container);
  const { root, process, mounts, linux } = configSchema.parse(
    JSON.parse(readFileSync(host.path(join(bundle, "config.json")), "utf8")),
  );
  const rootfs = host.path(join(bundle, "rootfs"));
  const { user, capabilities, apparmorProfile, selinuxLabel } = process;
  const isHere = (path: string) => existsSync(host.path(path));
  const apparmor = apparmorProfile === "unconfined" ? "" : apparmorProfile;
  const granted: Granted = {
    uid: user.uid,
    groups: [user.gid, ...user.additionalGids],
    bounding: capabilitySet(capabilities.bounding),
    permitted: capabilitySet([...capabilities.permitted, ...capabilities.inheritable, ...capabilities.ambient]),
    noNewPrivileges: process.noNewPrivileges,
    label: apparmor || selinuxLabel || undefined,
    lsm: apparmor ? "apparmor" : selinuxLabel ? "selinux" : undefined,
    hasFilter: linux.seccomp !== undefined,
    oomScoreAdj: process.oomScoreAdj,
    namespaces: linux.namespaces.map(({ type }) => type),
    mounts: mounts.map(({ destination, type, options }) => ({
      destination: inContainer(rootfs, destination),
      type,
      isBind: type === "bind" || options.some((option) => /^r?bind$/.test(option)),
      flags: flagsOf(options),
    })),
    readOnlyRoot: root.readonly,
    hidden: linux.maskedPaths.filter((path) => LONG_HIDDEN.includes(path) && isHere(path)),
    readOnly: linux.readonlyPaths.filter(isHere),
  };
  return { granted, profile: linux.seccomp };
}
