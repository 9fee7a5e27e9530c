/** Tars of files with owners, modes, times, sparse areas and extended attributes, made and unpacked by GNU tar. */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";

const COMMON = ["--format=posix", "--numeric-owner", "--sparse", "--acls", "--xattrs", "--xattrs-include=*"];
const OVERLAY_OWN = "--xattrs-exclude=trusted.overlay.*";

/** Packs `entries` (relative to `directory`, folders before contents). Sockets are left out: CRIU binds them anew. */
export function packEntries(directory: string, entries: readonly string[]): Archive {
  const archive = start(["-C", directory, ...COMMON, OVERLAY_OWN, "--no-recursion", "--null", "-T", "-", "-cf", "-"]);
  archive.child.stdin.on("error", () => undefined); // a tar that died is told by its exit code
  archive.child.stdin.end(entries.map((entry) => `./${entry}\0`).join(""));
  return archive;
}

/** Packs all of a folder. */
export function packFolder(directory: string): Archive {
  const archive = start(["-C", directory, ...COMMON, "-cf", "-", "."]);
  archive.child.stdin.end();
  return archive;
}

/** Unpacks into `directory`, over what is there. Rejects when the body is cut short, wherever that is. */
export async function unpack(directory: string, body: Readable): Promise<void> {
  const archive = start(["-C", directory, ...COMMON, "-p", "--same-owner", "--overwrite-dir", "-xf", "-"]);
  const { stdin } = archive.child;
  archive.child.stdout.resume();
  stdin.on("error", () => undefined); // a tar that died is told by its exit code
  // tar stops reading at the archive's end mark, which may come before the body's end.
  stdin.once("close", () => {
    body.unpipe(stdin);
    body.resume();
  });
  const whole = finished(body, { writable: false }).catch((error: unknown) => {
    archive.child.kill("SIGKILL");
    throw error;
  });
  body.pipe(stdin);
  try {
    await Promise.all([whole, archive.done]);
  } finally {
    await archive.closed; // nothing is written any more when this resolves or rejects
  }
}

export interface Archive {
  stream: Readable;
  /** Resolves when tar has ended well. */
  done: Promise<void>;
}

function start(args: readonly string[]) {
  const child = spawn("tar", args, { stdio: ["pipe", "pipe", "pipe"], env: { PATH: process.env.PATH, LC_ALL: "C" } });
  const complaints = text(child.stderr);
  const done = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else
        void complaints.then((said) => reject(new Error(`tar: ${said.trim().slice(0, 500) || `exit code ${code}`}`)));
    });
  });
  done.catch(() => undefined); // whoever awaits it sees the failure
  const closed = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
  return { child, stream: child.stdout, done, closed };
}
