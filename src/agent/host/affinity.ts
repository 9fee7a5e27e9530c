/**
 * The CPUs that threads have been pinned to (`taskset`, `pthread_setaffinity_np`), which CRIU does not carry: they travel as a file among the images, and
 * are set again while the copy is held.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type Container, pidsOf } from "./containers.ts";
import { readIfThere } from "./files.ts";
import { type Group, runGrouped } from "./grouped.ts";
import type { Host } from "./host.ts";
import { threadsOf } from "./processes.ts";

const PROGRAM = fileURLToPath(new URL("./cpus.pl", import.meta.url));
const FILE = "cpus.json";
/** Threads as the container numbers them, CPUs as in "0-3,8". */
const pinnedSchema = z.array(
  z.object({ thread: z.int().positive(), cpus: z.string().regex(/^\d{1,4}([-,]\d{1,4})*$/) }),
);
type Pinned = z.infer<typeof pinnedSchema>;

/** Notes which threads of a frozen container may not run on all CPUs that it has. */
export function noteAffinity(host: Host, container: Container, folder: string): void {
  const all = cpusOf(host, container);
  const pinned = threadsIn(host, container).filter(({ cpus }) => cpus !== all);
  if (pinned.length > 0)
    writeFileSync(join(folder, FILE), JSON.stringify(pinned.map(({ thread, cpus }) => ({ thread, cpus }))));
}

/** Sets it again. What has other CPUs here stays where it may run. */
export async function restoreAffinity(group: Group, container: Container, folder: string): Promise<void> {
  const text = readIfThere(join(folder, FILE));
  if (text === undefined) return;
  const pinned = new Map(pinnedSchema.parse(JSON.parse(text)).map(({ thread, cpus }) => [thread, cpus]));
  const found = threadsIn(group.host, container).flatMap(({ thread, tid }) => {
    const cpus = pinned.get(thread);
    return cpus === undefined ? [] : [tid, maskOf(cpus)];
  });
  if (found.length > 0) await runGrouped(group, ["perl", PROGRAM, ...found]);
}

/** The CPUs that the container's group has; without such a group all that there are. */
function cpusOf(host: Host, { freezer: { version, group } }: Container): string {
  const file =
    version === 2
      ? join(group, "cpuset.cpus.effective")
      : join(group.replace("/freezer/", "/cpuset/"), "cpuset.effective_cpus");
  const cpus = readIfThere(host.path(file)) ?? readIfThere(host.path("/sys/devices/system/cpu/online")) ?? "";
  return cpus.trim();
}

interface Thread extends Omit<Pinned[number], "tid"> {
  /** As the host numbers it. */
  tid: string;
}

function threadsIn(host: Host, container: Container): Thread[] {
  return pidsOf(host, container).flatMap((pid) =>
    threadsOf(pid).flatMap((tid) => {
      const status = readIfThere(`/proc/${pid}/task/${tid}/status`) ?? "";
      const thread = Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1]);
      const cpus = /^Cpus_allowed_list:\t(\S+)$/m.exec(status)?.[1];
      return thread > 0 && cpus !== undefined ? [{ tid, thread, cpus }] : [];
    }),
  );
}

/** "0-1,9" as bits, in hexadecimal: the first byte's lowest bit is CPU 0. */
export function maskOf(cpus: string): string {
  const numbers = cpus.split(",").flatMap((range) => {
    const [from = 0, to = from] = range.split("-").map(Number);
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
  });
  const words = Math.floor(Math.max(0, ...numbers) / 64) + 1; // the kernel takes whole words
  const bytes = Buffer.alloc(8 * words);
  for (const number of numbers) bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (1 << (number & 7));
  return bytes.toString("hex");
}
