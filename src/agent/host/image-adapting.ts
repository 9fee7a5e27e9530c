/**
 * Makes a move's images fit the container on the target that they are restored in: the folders of the kubelet's volumes, the pod's new addresses, connections that
 * cannot go on, and timers. May be repeated, for another container too.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../agent-error.ts";
import { localAddresses } from "../criu-images/addresses.ts";
import { FILES, type FileEntry, tcpStreamOf } from "../criu-images/definitions.ts";
import {
  encodeImage,
  FIRST_MESSAGE_AT,
  overwrite,
  readImage,
  readLeading,
  writeImage,
} from "../criu-images/image-file.ts";
import { ImageError } from "../criu-images/message.ts";
import {
  connectionsWithin,
  countingAsSent,
  streamsWithUnsent,
  withAddresses,
  withConnectionsClosed,
} from "../criu-images/sockets.ts";
import { withTimersArmed } from "../criu-images/timers.ts";
import { type DatedVolume, withVolumePaths } from "../criu-images/volumes.ts";
import { linkOf, readIfThere } from "./files.ts";
import { grantedOf } from "./granted.ts";
import type { Host } from "./host.ts";
import { type FilterOf, holdToGranted } from "./image-rights.ts";
import { targetMoveOf } from "./layout.ts";
import { inContainer, type TargetBundle, targetBundle } from "./target-bundle.ts";

/** Rejects with an AgentError when they cannot be made to fit, or hold more than the pod may have. */
export async function adaptImages(host: Host, moveUID: string, container: string, filterOf: FilterOf): Promise<void> {
  const move = targetMoveOf(moveUID);
  const folder = host.path(move.images);
  const bundle = targetBundle(host, container);
  try {
    const armed = withTimersArmed(readImage(folder, FILES));
    const open = withConnectionsClosed(armed, (ino) => existsSync(join(folder, tcpStreamOf(ino).name)));
    const here = bundle.sandboxPid === undefined ? [] : addressesOf(bundle.sandboxPid);
    adaptStreams(folder, open);
    const files = withVolumePaths(withAddresses(open, here), datedVolumes(host, bundle));
    await holdToGranted(folder, files, grantedOf(host, container), filterOf);
    writeImage(folder, FILES, encodeImage(FILES, files));
    writeFileSync(host.path(move.criuConfig), criuConfig(connectionsWithin(open).size > 0));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new AgentError("RestoreFailed", `the checkpoint cannot be restored here: ${error.message}`, { cause: error });
  }
}

/** A dump with tcp-close, which has no connections that go on, is restored with nothing else. With it CRIU would close those that do. */
function criuConfig(keepsConnections: boolean): string {
  const close = keepsConnections ? [] : ["tcp-close"];
  return `${["leave-stopped", "network-lock skip", "verbosity 2", ...close].join("\n")}\n`;
}

function addressesOf(pid: number): string[] {
  const table = (name: string): string => readIfThere(`/proc/${pid}/net/${name}`) ?? "";
  return localAddresses(table("fib_trie"), table("if_inet6"));
}

function adaptStreams(folder: string, files: readonly FileEntry[]): void {
  const unsent = streamsWithUnsent(files, (ino) => readLeading(folder, tcpStreamOf(ino)));
  for (const [ino, stream] of unsent) {
    const { at, bytes } = countingAsSent(stream);
    overwrite(folder, tcpStreamOf(ino), FIRST_MESSAGE_AT + at, bytes);
  }
}

const ATOMICALLY_WRITTEN = /\/volumes\/kubernetes\.io~(configmap|secret|projected|downward-api)\/[^/]+$/;

/** The pod's volumes that the kubelet writes version by version. */
function datedVolumes(host: Host, { mounts, rootfs }: TargetBundle): DatedVolume[] {
  return mounts.flatMap(({ source, destination }) => {
    if (!ATOMICALLY_WRITTEN.test(source)) return [];
    const folder = linkOf(join(host.path(source), "..data"));
    return folder === undefined ? [] : [{ destination: inContainer(host.path(rootfs), destination), folder }];
  });
}
