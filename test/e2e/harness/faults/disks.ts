/** Faults of the nodes' disks: no bytes left, no inodes left, a staging area that is full. Each is taken back by removing what fills it. */
import { readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { attempt } from "../../cluster/command.ts";
import type { Machine } from "../../cluster/machine.ts";
import type { Undo } from "./undo.ts";

/** On the node's disk itself. */
const FOLDER_ON_DISK = "/var/lib/containerd";
const FILLER = "e2e-filler";
const LEFT_BYTES = 256 * 1024;

/** The node's disk is full but for less than 1 MiB. Nothing is written on the host: the file has blocks, but no content. */
export async function fillDisk(machine: Machine): Promise<Undo> {
  return fill(machine, FOLDER_ON_DISK);
}

/** No file can be made on the node's disk. Takes long unless the cluster has been brought up with few inodes (`diskInodes`). */
export async function fillInodes(machine: Machine): Promise<Undo> {
  const folder = machine.path(join(FOLDER_ON_DISK, `${FILLER}-inodes`));
  const { ffree } = await statfs(machine.path(FOLDER_ON_DISK));
  const script = 'mkdir -p "$1" && cd "$1" && seq "$2" | xargs touch';
  await attempt("sh", ["-c", script, "sh", folder, String(ffree)]); // the last ones fail
  return removing(machine, join(FOLDER_ON_DISK, `${FILLER}-inodes`));
}

/**
 * The staging area of a move to this node is full. Answers false when there is none. Its memory is charged to the host, not to the node, which would
 * otherwise run out of its own.
 */
export async function fillStaging(machine: Machine): Promise<Undo | false> {
  const mounts = await readFile(`/proc/${machine.pid}/mountinfo`, "utf8");
  const staging = /^(?:\S+ ){4}(\/run\/headroom\/target\/[^/ ]+\/staging) /m.exec(mounts)?.[1];
  if (!staging) return false;
  return fill(machine, staging).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return false; // the move has ended meanwhile
    throw error;
  });
}

async function fill(machine: Machine, folder: string): Promise<Undo> {
  const file = join(folder, FILLER);
  const { bfree, bsize } = await statfs(machine.path(folder));
  const bytes = Math.max(bsize, bfree * bsize - LEFT_BYTES);
  const outcome = await attempt("fallocate", ["-l", String(bytes), machine.path(file)]);
  if (outcome.code !== 0 && !outcome.stderr.includes("No space left")) {
    throw new Error(`${machine.node.name} could not be filled: ${outcome.stderr}`);
  }
  return removing(machine, file);
}

function removing(machine: Machine, path: string): Undo {
  return async () => {
    if (!machine.isOn) throw new Error(`${machine.node.name} is off: start it before ${path} is removed from its disk`);
    await rm(machine.path(path), { recursive: true, force: true });
  };
}
