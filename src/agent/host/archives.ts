/** Tars of files with owners, modes, times, sparse areas and extended attributes, made and unpacked by GNU tar. */
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Group, runGrouped, startGrouped } from "./grouped.ts";

const COMMON = ["--format=posix", "--numeric-owner", "--sparse", "--acls", "--xattrs", "--xattrs-include=*"];
const OVERLAY_OWN = "--xattrs-exclude=trusted.overlay.*";

export interface Archive {
  stream: Readable;
  /** Resolves when all of it has been made. */
  done: Promise<void>;
}

/** What is to be packed: names that each end with a NUL, relative to the folder, folders before their contents. */
export type Names = Archive;

/** Packs what is named, as the names come. Sockets are left out: CRIU binds them again. */
export function packNamed(group: Group, directory: string, names: Names): Archive {
  const what = ["--no-recursion", "--null", "-T", "-"];
  const tar = startGrouped(group, ["tar", "-C", directory, ...COMMON, OVERLAY_OWN, ...what, "-cf", "-"]);
  names.stream.pipe(tar.stdin, { end: false });
  const named = names.done.then(
    () => void tar.stdin.end(),
    (error: unknown) => {
      tar.child.kill("SIGKILL"); // of an incomplete list tar would make a whole archive
      throw error;
    },
  );
  return { stream: tar.stdout, done: both(named, tar.done) };
}

/** Packs all of a folder. */
export function packFolder(group: Group, directory: string): Archive {
  const tar = startGrouped(group, ["tar", "-C", directory, ...COMMON, "-cf", "-", "."]);
  tar.stdin.end();
  return { stream: tar.stdout, done: tar.done };
}

function both(first: Promise<void>, second: Promise<void>): Promise<void> {
  const all = Promise.all([first, second]).then(() => undefined);
  all.catch(() => undefined); // the caller that awaits it sees the failure
  return all;
}

const HOW = ["-p", "--same-owner", "--overwrite-dir", "--force-local"];

const CHECK = fileURLToPath(new URL("./archive.pl", import.meta.url));

/** Rejects when something in the archive would be written outside of `directory`. */
async function checked(group: Group, directory: string, archive: string, signal?: AbortSignal): Promise<void> {
  await runGrouped(group, ["perl", CHECK, directory, archive], signal);
}

/** Unpacks an archive into `directory`, over what is there. Rejects when it is cut short, or has something that leads out of `directory`. */
export async function unpack(group: Group, directory: string, archive: string, signal?: AbortSignal): Promise<void> {
  await checked(group, directory, archive, signal);
  await runGrouped(group, ["tar", "-C", directory, ...COMMON, ...HOW, "-xf", archive], signal);
}

/** The folder $1 becomes the working folder, and with it what is mounted there: if that is unmounted later, nothing is written below it. */
const IN_MOUNT = `cd "$1" && shift || exit 1
[ "$(stat -c %d .)" != "$(stat -c %d ..)" ] || { echo "nothing is mounted there any more" >&2; exit 1; }
exec "$@"`;

/**
 * The same, into what is mounted at `directory`. Rejects when nothing is, so that what is for a container whose `create` has just ended
 * does not fill the memory below its root file system.
 */
export async function unpackIntoMount(
  group: Group,
  directory: string,
  archive: string,
  signal?: AbortSignal,
): Promise<void> {
  const tar = ["tar", ...COMMON, ...HOW, "-xf", archive];
  await checked(group, directory, archive, signal);
  await runGrouped(group, ["/bin/sh", "-c", IN_MOUNT, "headroom-unpack", directory, ...tar], signal);
}
