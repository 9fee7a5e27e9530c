/**
 * A container's writable layer as it travels: a listing of what is still there of the image's own files, and a tar of the layer's files.
 * `./layer.pl`, in the move's control group, makes the listing and goes by it.
 */
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Archive, type Names, packNamed } from "./archives.ts";
import { type Group, runGrouped, startGrouped } from "./grouped.ts";

const PROGRAM = fileURLToPath(new URL("./layer.pl", import.meta.url));

/** The listing and the tar, both as they are made: they have to be read side by side. */
export interface PackedLayer {
  listing: Archive;
  files: Archive;
}

/** `upper` is the overlay's upperdir, `merged` the mounted overlay, both as the agent sees them. */
export function packLayer(group: Group, upper: string, merged: string): PackedLayer {
  const program = startGrouped(group, ["perl", PROGRAM, "list", upper, merged], ["pipe"]);
  program.stdin.end();
  const names = program.child.stdio[3];
  if (!(names instanceof Readable)) throw new Error("the listing has no pipe for its names");
  const named: Names = { stream: names, done: program.done };
  return { listing: { stream: program.stdout, done: program.done }, files: packNamed(group, upper, named) };
}

/** Removes from `root`, a fresh copy of the same image, what the listing doesn't have. Never follows a symbolic link. */
export async function removeDeleted(group: Group, root: string, listing: string, signal?: AbortSignal): Promise<void> {
  await runGrouped(group, ["perl", PROGRAM, "remove", root, listing], signal);
}
