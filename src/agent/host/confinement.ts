/** What confines containers: a security module of the kernel, where containerd makes use of it. */
import { existsSync } from "node:fs";
import { criSetting } from "../containerd/config-text.ts";
import type { SourceFacts } from "../protocol.ts";
import { readIfThere } from "./files.ts";
import type { Host } from "./host.ts";

export type Lsm = "apparmor" | "selinux" | "none";

/** What a container that asks for nothing is confined by on this node. `dump` is what `containerd config dump` prints. */
export function lsmOf(host: Host, dump: string): Lsm {
  const apparmor = ["/sys/kernel/security/apparmor", "/sbin/apparmor_parser"].every((path) =>
    existsSync(host.path(path)),
  );
  const enabled = readIfThere(host.path("/sys/module/apparmor/parameters/enabled"))?.startsWith("Y") ?? false;
  if (apparmor && enabled && criSetting(dump, "disable_apparmor") !== "true") return "apparmor";
  const selinux = existsSync(host.path("/sys/fs/selinux/enforce"));
  return selinux && criSetting(dump, "enable_selinux") === "true" ? "selinux" : "none";
}

export function confinementOf(pid: number): SourceFacts["confinedBy"] {
  const read = (name: string) => labelIn(`/proc/${pid}/attr/${name}`);
  return confinementBy(read("apparmor/current"), read("current"));
}

/** A kernel without security modules has the file, and says EINVAL when it is read. */
function labelIn(path: string): string {
  try {
    return readIfThere(path) ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EINVAL") return "";
    throw error;
  }
}

/** Domains of SELinux that programs of the node are in, and containers that are not to be confined. Others are taken for confined. */
const NODE_DOMAINS = /^(unconfined|initrc|kernel|init|spc|container_runtime|unconfined_service)_t$/;

/** By the labels of a process. Only SELinux' have four parts. */
export function confinementBy(apparmor: string, current: string): SourceFacts["confinedBy"] {
  const profile = apparmor.trim();
  if (profile !== "" && !profile.startsWith("unconfined")) return "apparmor";
  const domain = /^[^:\s]+:[^:\s]+:([^:\s]+):s\d/.exec(current)?.[1];
  return domain === undefined || NODE_DOMAINS.test(domain) ? undefined : "selinux";
}
