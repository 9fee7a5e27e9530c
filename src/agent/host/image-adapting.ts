/**
 * Makes a move's images fit the container on the target that they are restored in: the folders of the kubelet's volumes, the pod's new addresses, connections that
 * cannot go on, and timers. May be repeated, for another container too.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../agent-error.ts";
import { localAddresses } from "../criu-images/addresses.ts";
import { FILES, type FileEntry, type TcpStream, tcpStreamOf } from "../criu-images/definitions.ts";
import { decodeLeading, encodeImage, readImage, writeImage } from "../criu-images/image-file.ts";
import { ImageError } from "../criu-images/message.ts";
import { streamsThatGoOn, withAddresses, withConnectionsClosed } from "../criu-images/sockets.ts";
import { withTimersArmed } from "../criu-images/timers.ts";
import { type DatedVolume, withVolumePaths } from "../criu-images/volumes.ts";
import { linkOf, readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { targetMoveOf } from "./layout.ts";
import { type TargetBundle, targetBundle } from "./target-bundle.ts";

/** Throws an AgentError when they cannot be made to fit. */
export function adaptImages(host: Host, moveUID: string, container: string): void {
  const folder = host.path(targetMoveOf(moveUID).images);
  const bundle = targetBundle(host, container);
  try {
    const armed = withTimersArmed(readImage(folder, FILES));
    const open = withConnectionsClosed(armed, (ino) => existsSync(join(folder, tcpStreamOf(ino).name)));
    const here = bundle.sandboxPid === undefined ? [] : addressesOf(bundle.sandboxPid);
    adaptStreams(folder, open);
    const files = withVolumePaths(withAddresses(open, here), datedVolumes(host, bundle));
    writeImage(folder, FILES, encodeImage(FILES, files));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new AgentError("RestoreFailed", `the checkpoint cannot be restored here: ${error.message}`, { cause: error });
  }
}

function addressesOf(pid: number): string[] {
  const table = (name: string): string => readIfThere(`/proc/${pid}/net/${name}`) ?? "";
  return localAddresses(table("fib_trie"), table("if_inet6"));
}

function adaptStreams(folder: string, files: readonly FileEntry[]): void {
  const contents = new Map<number, Buffer>();
  const streamOf = (ino: number): TcpStream => {
    const { entry, rest } = decodeLeading(tcpStreamOf(ino), readFileSync(join(folder, tcpStreamOf(ino).name)));
    contents.set(ino, rest);
    return entry;
  };
  for (const [ino, stream] of streamsThatGoOn(files, streamOf)) {
    const kind = tcpStreamOf(ino);
    writeImage(folder, kind, Buffer.concat([encodeImage(kind, [stream]), contents.get(ino) ?? Buffer.alloc(0)]));
  }
}

const ATOMICALLY_WRITTEN = /\/volumes\/kubernetes\.io~(configmap|secret|projected|downward-api)\/[^/]+$/;

/** The pod's volumes that the kubelet writes version by version. */
function datedVolumes(host: Host, { mounts }: TargetBundle): DatedVolume[] {
  return mounts.flatMap(({ source, destination }) => {
    if (!ATOMICALLY_WRITTEN.test(source)) return [];
    const folder = linkOf(join(host.path(source), "..data"));
    return folder === undefined ? [] : [{ destination, folder }];
  });
}
