/** Sends a frozen container's files to the peer: its writable layer and its emptyDirs, side by side. */
import { PassThrough } from "node:stream";
import { AgentError } from "../agent-error.ts";
import type { FilePart, Peer } from "../node-runtime.ts";
import { type Archive, packFolder } from "./archives.ts";
import type { Group } from "./grouped.ts";
import { packLayer } from "./writable-layer.ts";

/** Host paths. `merged` is the mounted overlay that `upper` is the writable layer of. */
export interface ContainerFiles {
  upper: string;
  merged: string;
  emptyDirs: { name: string; directory: string }[];
}

/** Packs in the move's `group`. Resolves with the bytes sent when the peer has stored everything. */
export async function sendFiles(group: Group, files: ContainerFiles, peer: Peer, signal: AbortSignal): Promise<number> {
  const { host } = group;
  const layer = packLayer(group, host.path(files.upper), host.path(files.merged));
  const emptyDirs = files.emptyDirs.map(({ name, directory }) =>
    sendArchive(peer, { part: "empty-dir", name }, packFolder(group, host.path(directory)), signal),
  );
  for (const sent of emptyDirs) sent.catch(() => undefined); // awaited below, unless another one could not begin
  try {
    const sizes = await Promise.all([
      sendArchive(peer, { part: "layer-manifest" }, layer.listing, signal),
      sendArchive(peer, { part: "layer" }, layer.files, signal),
      ...emptyDirs,
    ]);
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (cause) {
    throw sendFailed(`the files could not be sent: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

/** Retryable unless the peer has refused or the files can't be read: its agent may come back, and what was dumped is sent again then. */
export function sendFailed(message: string, cause: unknown): AgentError {
  const final = cause instanceof AgentError && !cause.retryable;
  return new AgentError("SendFailed", message, { cause, retryable: !final });
}

/** The stream ends only when the program behind it has ended well, so that a cut-off archive never looks like a whole one to the peer. */
async function sendArchive(peer: Peer, part: FilePart, archive: Archive, signal: AbortSignal): Promise<number> {
  let size = 0;
  const body = new PassThrough({ highWaterMark: 1 << 20, signal });
  archive.stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
  });
  archive.stream.pipe(body, { end: false });
  const ended = archive.done.then(
    () => {
      body.end();
    },
    (error: Error) => {
      body.destroy(error);
      throw new AgentError("SendFailed", error.message, { cause: error }); // it would fail again
    },
  );
  await Promise.all([ended, peer.put(part, body, signal)]);
  return size;
}
