/**
 * Where an agent keeps what on its host. The runtime wrapper (../runtime-wrapper/headroom-runc.sh) reads the same places.
 *
 *   /var/lib/headroom/targets/<pod UID>/   registration: its existence is what counts; survives a reboot
 *       move, container                    the move's UID, the container's name
 *       claimed/ released aborted          made by the wrapper before it restores; by release; by abort
 *   /var/lib/headroom/criu/<version>/      CRIU's own tree, unless it had to be laid elsewhere (./criu-tree.ts)
 *   /var/lib/headroom/files/<move UID>/    target, 0700: the writable layer and the emptyDirs on disk, as they arrived
 *   /run/headroom/target/<move UID>/       waiting/<container>{,.pid}: fifos of waiting creates; restore.{pid,exit}; lazy
 *       criu                               the folder that holds the criu to restore with; none: the node's own
 *       files-for                          the container that has got all files: the only one that may be restored
 *       staging/{images,work,files}        a tmpfs of the move's own, 0700; files: emptyDirs that are in memory
 *   /run/headroom/restored/<container>     made by the wrapper: the container's `start` has nothing to do
 *   /run/headroom/source/<move UID>/       images, work: CRIU's images other than pages
 */
import { join } from "node:path";

export const STATE_DIRECTORY = "/var/lib/headroom";
export const RUN_DIRECTORY = "/run/headroom";
export const TARGETS_DIRECTORY = join(STATE_DIRECTORY, "targets");
export const TARGET_MOVES_DIRECTORY = join(RUN_DIRECTORY, "target");
export const FILES_DIRECTORY = join(STATE_DIRECTORY, "files");

/** A pod's registration as a target. */
export function registrationOf(podUID: string) {
  const directory = join(TARGETS_DIRECTORY, podUID);
  return {
    directory,
    move: join(directory, "move"),
    container: join(directory, "container"),
    claimed: join(directory, "claimed"),
    released: join(directory, "released"),
    aborted: join(directory, "aborted"),
  };
}

/** A move's own folder on its target. */
export function targetMoveOf(moveUID: string) {
  const directory = join(TARGET_MOVES_DIRECTORY, moveUID);
  const staging = join(directory, "staging");
  return {
    directory,
    waiting: join(directory, "waiting"),
    receiving: join(directory, "receiving.json"),
    criuConfig: join(directory, "criu.conf"),
    lazy: join(directory, "lazy"),
    lazyReady: join(directory, "lazy.ready"),
    restorePid: join(directory, "restore.pid"),
    restoreExit: join(directory, "restore.exit"),
    criu: join(directory, "criu"),
    filesFor: join(directory, "files-for"),
    volumesFilled: join(directory, "volumes-filled"),
    files: join(FILES_DIRECTORY, moveUID),
    staging,
    memoryFiles: join(staging, "files"),
    images: join(staging, "images"),
    imagesComplete: join(staging, "images.complete"),
    work: join(staging, "work"),
  };
}

/** Left by the runtime wrapper for the `start` that follows its restore. */
export const startMarkOf = (container: string): string => join(RUN_DIRECTORY, "restored", container);

/** A move's own folder on its source. */
export function sourceMoveOf(moveUID: string) {
  const directory = join(RUN_DIRECTORY, "source", moveUID);
  return {
    directory,
    images: join(directory, "images"),
    work: join(directory, "work"),
    criuConfig: join(directory, "criu.conf"),
    dumped: join(directory, "dumped.json"),
    frozen: join(directory, "frozen.json"),
    /** Name of the detached `runc checkpoint`. */
    program: join(directory, "dump"),
  };
}
