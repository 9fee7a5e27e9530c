/** What runc and the kernel know of a container: its processes, groups, writable layer and emptyDirs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AgentError } from "../agent-error.ts";
import { cgroupVersion, type Freezer, processesOf } from "./cgroups.ts";
import { isAlive } from "./detached.ts";
import { readIfThere } from "./files.ts";
import { type Host, runtimeOf } from "./host.ts";

/** Where containerd keeps the bundle of a container of its Kubernetes namespace. */
export const bundleOf = (host: Host, container: string): string => join(runtimeOf(host).bundles, container);

const stateSchema = z.object({
  init_process_pid: z.int().positive(),
  cgroup_paths: z.record(z.string(), z.string()),
  config: z.object({
    rootfs: z.string(),
    mounts: z.array(z.object({ source: z.string(), destination: z.string() })).nullable(),
  }),
});

export interface Container {
  id: string;
  /** Process 1 of the container, as the host numbers it. */
  pid: number;
  rootfs: string;
  mounts: { source: string; destination: string }[];
  freezer: Freezer;
  /** A group (host path) that holds all of its processes. */
  group: string;
  memoryGroup: string;
}

/** The container, or undefined when runc knows none of that name. */
export function findContainer(host: Host, id: string): Container | undefined {
  if (!/^[a-zA-Z0-9_.-]+$/.test(id)) throw new AgentError("BadRequest", `not a container's name: ${id}`);
  const text = readIfThere(host.path(join(runtimeOf(host).runcRoot, id, "state.json")));
  if (text === undefined) return undefined;
  const state = stateSchema.parse(JSON.parse(text));
  const version = cgroupVersion(host);
  const pathOf = (controller: string) => state.cgroup_paths[version === 2 ? "" : controller] ?? "";
  const freezer: Freezer = { version, group: pathOf("freezer") };
  return {
    id,
    pid: state.init_process_pid,
    rootfs: state.config.rootfs,
    mounts: state.config.mounts ?? [],
    freezer,
    group: version === 2 ? pathOf("") : pathOf("devices"),
    memoryGroup: pathOf("memory"),
  };
}

/** The running container. Fails with `SourceGone` when it isn't there or has ended. */
export function runningContainer(host: Host, id: string): Container {
  const container = findContainer(host, id);
  if (!container) throw new AgentError("SourceGone", `container ${id} is not on this node`);
  if (!isAlive(container.pid)) throw new AgentError("SourceGone", `container ${id} has ended`);
  return container;
}

export function pidsOf(host: Host, container: Container): number[] {
  return processesOf(host, container.group);
}

/** The writable layer (host path) of an overlay mounted at `rootfs`; undefined when it isn't an overlay. */
export function upperDirectoryOf(
  rootfs: string,
  mountinfo = readFileSync("/proc/1/mountinfo", "utf8"),
): string | undefined {
  const upper = overlayOptionsOf(rootfs, mountinfo)?.find((option) => option.startsWith("upperdir="));
  return upper === undefined ? undefined : unescapeMount(upper.slice("upperdir=".length));
}

/** The options of what is mounted at `rootfs`; undefined when nothing is. */
export function overlayOptionsOf(rootfs: string, mountinfo: string): string[] | undefined {
  const line = mountinfo.split("\n").find((entry) => unescapeMount(entry.split(" ")[4] ?? "") === rootfs);
  return line?.split(" - ")[1]?.split(" ")[2]?.split(",");
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
export function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

const EMPTY_DIR = /\/volumes\/kubernetes\.io~empty-dir\/([^/]+)(?:\/|$)/;

/** Host paths of a container's emptyDir volumes by volume name, from where its mounts come from. */
export function emptyDirsOf(mounts: readonly { source: string }[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { source } of mounts) {
    const match = EMPTY_DIR.exec(source);
    if (match?.[1]) found.set(match[1], source.slice(0, match.index + match[0].length).replace(/\/$/, ""));
  }
  return found;
}
