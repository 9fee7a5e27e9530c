/**
 * Where a move's files land on its target: each part as the archive in which it came, until all are there and a container waits for them.
 * What was on a disk lands on the disk, what was in memory in the move's staging area: it often is a secret.
 */
import { mkdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { AgentError } from "../agent-error.ts";
import type { FilePart } from "../node-runtime.ts";
import type { EmptyDir } from "../protocol.ts";
import { entriesOf } from "./files.ts";
import { type Group, startGrouped } from "./grouped.ts";
import type { Host } from "./host.ts";
import { FILES_DIRECTORY, targetMoveOf } from "./layout.ts";

/** A part that is whole has this name (host path); until then it ends in ".new". */
export function landedFile(moveUID: string, part: Exclude<FilePart, { part: "images" }>, emptyDirs: EmptyDirs): string {
  const move = targetMoveOf(moveUID);
  if (part.part !== "empty-dir") return join(move.files, part.part);
  const emptyDir = emptyDirs.find(({ name }) => name === part.name);
  if (!emptyDir) throw new AgentError("BadRequest", `this move brings no emptyDir ${part.name}`);
  return join(emptyDir.memory ? move.memoryFiles : move.files, `empty-dir.${part.name}`);
}

type EmptyDirs = readonly EmptyDir[];

/** Everything that a move brings beside its images, by landed file. */
export function expectedFiles(moveUID: string, emptyDirs: EmptyDirs) {
  return {
    listing: landedFile(moveUID, { part: "layer-manifest" }, emptyDirs),
    layer: landedFile(moveUID, { part: "layer" }, emptyDirs),
    emptyDirs: emptyDirs.map((emptyDir) => {
      const file = landedFile(moveUID, { part: "empty-dir", name: emptyDir.name }, emptyDirs);
      return { ...emptyDir, file };
    }),
  };
}

export function allLanded(host: Host, moveUID: string, emptyDirs: EmptyDirs): boolean {
  const { listing, layer, emptyDirs: volumes } = expectedFiles(moveUID, emptyDirs);
  return [listing, layer, ...volumes.map(({ file }) => file)].every((file) =>
    Boolean(statSync(host.path(file), { throwIfNoEntry: false })),
  );
}

/** Bytes of the move's parts on the disk, whole or not. */
export function landedBytes(host: Host, moveUID: string): number {
  const folder = host.path(targetMoveOf(moveUID).files);
  const sizes = entriesOf(folder).map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Stores a part. Rejects with `NoRoom` when it doesn't fit, and when the body is cut short, wherever that is. */
export async function land(group: Group, file: string, body: Readable): Promise<void> {
  const path = group.host.path(file);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const writer = startGrouped(group, ["/bin/sh", "-c", 'umask 077; exec cat > "$1"', "headroom-land", `${path}.new`]);
  writer.stdin.once("close", () => {
    body.unpipe(writer.stdin);
    body.resume(); // a sender that still sends sees the refusal only if its body is read
  });
  const whole = finished(body, { writable: false }).catch((error: unknown) => {
    writer.child.kill("SIGKILL");
    throw error;
  });
  body.pipe(writer.stdin);
  try {
    await Promise.all([whole, writer.done]);
    renameSync(`${path}.new`, path);
  } catch (error) {
    await writer.closed; // nothing is written any more when this rejects
    rmSync(`${path}.new`, { force: true });
    throw noRoom(error) ?? error;
  }
}

function noRoom(error: unknown): AgentError | undefined {
  if (!(error instanceof Error) || !/No space left on device|Disk quota exceeded/.test(error.message)) return undefined;
  const message = `the files of this move do not fit on this node: ${error.message}`;
  return new AgentError("NoRoom", message, { cause: error });
}

export async function removeLanded(host: Host, moveUID: string): Promise<void> {
  const { files, memoryFiles } = targetMoveOf(moveUID);
  for (const folder of [files, memoryFiles]) await rm(host.path(folder), { recursive: true, force: true });
}

/** Of moves that no record names: an agent died while it cleaned up. */
export async function removeForgotten(host: Host, known: readonly string[]): Promise<void> {
  const forgotten = entriesOf(host.path(FILES_DIRECTORY)).filter((name) => !known.includes(name));
  for (const moveUID of forgotten) await removeLanded(host, moveUID);
}

/** Bytes that the disk has left for files that land. */
export function filesFreeBytes(host: Host): number {
  mkdirSync(host.path(FILES_DIRECTORY), { recursive: true, mode: 0o700 });
  const { bavail, bsize } = statfsSync(host.path(FILES_DIRECTORY));
  return bavail * bsize;
}
