/** What the node can do: programs, kernel, CPU, control groups. Asked once, but for what may change. */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import type { NodeFeatures } from "../protocol.ts";
import { cgroupVersion } from "./cgroups.ts";
import { type Host, runOnHost, runtimeOf } from "./host.ts";

export type FixedFeatures = Pick<
  NodeFeatures,
  "criuVersion" | "runcVersion" | "kernel" | "cgroupVersion" | "cpuFlags" | "lazyPages" | "memDirtyTrack"
>;

/** Fails when runc or criu is missing or criu says that it cannot work here. */
export async function probe(host: Host): Promise<FixedFeatures> {
  const [criu, runc, usable, lazy, dirty] = await Promise.all([
    runOnHost(host, ["criu", "--version"]),
    runOnHost(host, [runtimeOf(host).runc, "--version"]),
    runOnHost(host, ["criu", "check"]),
    hasFeature(host, "uffd-noncoop"),
    hasFeature(host, "mem_dirty_track"),
  ]);
  if (criu.code !== 0) throw new Error(`criu is not on this node: ${criu.stderr.trim()}`);
  if (runc.code !== 0) throw new Error(`runc is not on this node: ${runc.stderr.trim()}`);
  if (usable.code !== 0) throw new Error(`criu cannot work on this node: ${usable.stderr.trim().slice(0, 300)}`);
  return {
    criuVersion: /Version:\s*(\S+)/.exec(criu.stdout)?.[1] ?? "unknown",
    runcVersion: /runc version (\S+)/.exec(runc.stdout)?.[1] ?? "unknown",
    kernel: release(),
    cgroupVersion: cgroupVersion(host),
    cpuFlags: cpuFlagsOf(readFileSync("/proc/cpuinfo", "utf8")),
    lazyPages: lazy,
    memDirtyTrack: dirty,
  };
}

/** Whether `criu` and the kernel can do it, by a name that `criu check --feature` knows. */
export async function hasFeature(host: Host, feature: string): Promise<boolean> {
  const { code, stdout } = await runOnHost(host, ["criu", "check", "--feature", feature]);
  return code === 0 && stdout.includes("is supported");
}

/** The first processor's flags, sorted. On ARM they are called Features. */
export function cpuFlagsOf(cpuinfo: string): string[] {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? "";
  return line.split(/\s+/).filter(Boolean).sort();
}
