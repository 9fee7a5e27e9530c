/**
 * Gives a restored container's mounts the flags that they have by its configuration, before it runs. CRIU 4.2 leaves a read-only volume writable where
 * another of the same file system is mounted with the same flags, and a read-only root file system always.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AgentError } from "../agent-error.ts";
import { type Granted, MOUNT_FLAGS } from "../criu-images/rights.ts";
import { type Container, unescapeMount } from "./containers.ts";
import { grantedOf } from "./granted.ts";
import { type Group, runGrouped } from "./grouped.ts";

const PROGRAM = fileURLToPath(new URL("./mounts.pl", import.meta.url));
/** That a mount keeps when others are set. */
const KEPT: Readonly<Record<string, number>> = { ...MOUNT_FLAGS, noatime: 1024, nodiratime: 2048, relatime: 1 << 21 };

export interface Lacking {
  path: string;
  /** All that it is to have. */
  flags: number;
}

/** Rejects when a mount cannot be given its flags. */
export async function setMountFlags(group: Group, { id, pid }: Container): Promise<void> {
  const { granted } = grantedOf(group.host, id);
  const lacking = () => lackingFlags(readFileSync(`/proc/${pid}/mountinfo`, "utf8"), granted);
  const found = lacking();
  if (found.length === 0) return;
  const pairs = found.flatMap(({ path, flags }) => [String(flags), path]);
  await runGrouped(group, ["perl", PROGRAM, String(pid), ...pairs]).catch((cause: unknown) => {
    throw new AgentError("RestoreFailed", `the copy's mounts could not be made read-only: ${String(cause)}`, { cause });
  });
  const [still] = lacking();
  if (still) throw new AgentError("RestoreFailed", `the copy's mount at ${still.path} did not take its flags`);
}

/** Pure. What is not mounted lacks nothing. */
export function lackingFlags(mountinfo: string, granted: Pick<Granted, "mounts" | "readOnlyRoot">): Lacking[] {
  const wanted = new Map(
    granted.mounts.map(({ type, destination, flags }) => [destination, type === "cgroup" ? 0 : flags]),
  );
  if (granted.readOnlyRoot) wanted.set("/", MOUNT_FLAGS.ro);
  return mountinfo.split("\n").flatMap((line) => {
    const [, , , , escaped = "", options = ""] = line.split(" ");
    const path = unescapeMount(escaped);
    const held = options.split(",").reduce((flags, option) => flags | (KEPT[option] ?? 0), 0);
    const flags = held | (wanted.get(path) ?? 0);
    return flags === held ? [] : [{ path, flags }];
  });
}
