/** Faults of the nodes' disks: no bytes left, no inodes left, a staging area that is full. Each is taken back by removing what fills it. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { attempt } from "../../cluster/command.ts";
import type { Machine } from "../../cluster/machine.ts";
import type { Undo } from "./undo.ts";

/** On the node's disk itself. */
const BLOCKS = "/var/lib/containerd/e2e-filler-blocks";
const INODES = "/var/lib/containerd/e2e-filler-inodes";
const LEFT_BYTES = 512 * 1024;
const ROUNDS = 5;

/** The node's disk is full but for less than 1 MiB. Nothing is written on the host: the files have blocks, but no content. */
export async function fillDisk(machine: Machine): Promise<Undo> {
  const folder = machine.path(BLOCKS);
  await mkdir(folder, { recursive: true });
  for (let round = 0; round < ROUNDS; round += 1) {
    const { bfree, bsize } = await statfs(folder);
    const bytes = bfree * bsize - LEFT_BYTES;
    if (bytes <= 0) break;
    // It fails when others have written meanwhile: the next round has what is left.
    await attempt("fallocate", ["--length", String(bytes), join(folder, String(round))]);
  }
  return removing(machine, BLOCKS);
}

/** No file can be made on the node's disk any more. Takes long unless the cluster has been brought up with few inodes (`diskInodes`). */
export async function fillInodes(machine: Machine): Promise<Undo> {
  const folder = machine.path(INODES);
  await mkdir(folder, { recursive: true });
  const { ffree } = await statfs(folder);
  const script = 'cd "$1" && seq -f inode-%.0f "$2" | xargs touch';
  await attempt("sh", ["-c", script, "sh", folder, String(ffree)]); // the last ones fail
  return removing(machine, INODES);
}

/**
 * The staging area of a move to this node is full. Answers false when there is none. Its memory is charged to the host, not to the node, which would
 * otherwise run out of its own.
 */
export async function fillStaging(machine: Machine): Promise<Undo | false> {
  const mounts = await readFile(`/proc/${machine.pid}/mountinfo`, "utf8");
  const staging = /^(?:\S+ ){4}(\/run\/headroom\/target\/[^/ ]+\/staging) /m.exec(mounts)?.[1];
  if (!staging) return false;
  const filler = join(staging, "e2e-filler");
  const { bfree, bsize } = await statfs(machine.path(staging));
  // It ends when the area is full, whatever others write meanwhile; or it cannot begin, because the move has ended.
  await attempt("sh", ["-c", 'head -c "$1" /dev/zero > "$2"', "sh", String(bfree * bsize), machine.path(filler)]);
  return existsSync(machine.path(filler)) && removing(machine, filler);
}

function removing(machine: Machine, path: string): Undo {
  return async () => {
    if (!machine.isOn) throw new Error(`${machine.node.name} is off: start it before ${path} is removed from its disk`);
    await rm(machine.path(path), { recursive: true, force: true });
  };
}
