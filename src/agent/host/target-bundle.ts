/** What containerd has prepared for a container whose `create` waits: its root file system, its volumes and its pod's control group. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { bundleOf, emptyDirsOf, findContainer } from "./containers.ts";
import { type Host, under } from "./host.ts";

const bundleSchema = z.object({
  mounts: z.array(z.object({ source: z.string().default(""), destination: z.string().default("") })).default([]),
  annotations: z.record(z.string(), z.string()).default({}),
});

/** Host paths. */
export interface TargetBundle {
  rootfs: string;
  mounts: { source: string; destination: string }[];
  /** By volume name. */
  emptyDirs: Map<string, string>;
  /** The group of the whole pod, on cgroup version 1 the memory controller's; undefined when the pod has no sandbox that runc knows. */
  podGroup: string | undefined;
  /** A process in the pod's network namespace, as the host numbers it. */
  sandboxPid: number | undefined;
}

export function targetBundle(host: Host, container: string): TargetBundle {
  const bundle = bundleOf(host, container);
  const text = readFileSync(host.path(join(bundle, "config.json")), "utf8");
  const { mounts, annotations } = bundleSchema.parse(JSON.parse(text));
  const sandbox = findContainer(host, annotations["io.kubernetes.cri.sandbox-id"] ?? "none");
  const group = sandbox?.freezer.version === 1 ? sandbox.memoryGroup : sandbox?.group;
  return {
    rootfs: join(bundle, "rootfs"),
    mounts,
    emptyDirs: emptyDirsOf(mounts),
    podGroup: group === undefined ? undefined : dirname(group),
    sandboxPid: sandbox?.pid,
  };
}

/** Where in a container something is mounted: /var/run often is a link to /run. */
export const inContainer = (rootfs: string, destination: string): string =>
  `/${relative(rootfs, under(rootfs, destination))}`;
