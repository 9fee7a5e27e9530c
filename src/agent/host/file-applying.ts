/**
 * Copies a move's files, once all have landed, into the container whose `create` waits. Which container has got them is written into the
 * move's folder: only that one may be restored, a later one first gets them again.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../agent-error.ts";
import { writeDurably } from "../move-records.ts";
import type { EmptyDir } from "../protocol.ts";
import { unpack, unpackIntoMount } from "./archives.ts";
import { killProcess, makeMoveGroup, makePodGroup, moveGroup, processesOf } from "./cgroups.ts";
import { readIfThere } from "./files.ts";
import type { Group } from "./grouped.ts";
import type { Host } from "./host.ts";
import { allLanded, expectedFiles } from "./landing.ts";
import { targetMoveOf } from "./layout.ts";
import { type TargetBundle, targetBundle } from "./target-bundle.ts";
import { waitingCreates } from "./waiting-create.ts";
import { removeDeleted } from "./writable-layer.ts";

/** Between two looks for a container that waits. */
const POLL_MS = 20;

/** Does this container have all of the move's files? */
export function hasFiles(host: Host, moveUID: string, container: string): boolean {
  return readIfThere(host.path(targetMoveOf(moveUID).filesFor))?.trim() === container;
}

/** What an agent before this one has left copying would write into a container beside its successor's programs. */
export function endOrphans(host: Host, moveUID: string): void {
  for (const pid of processesOf(host, moveGroup(host, moveUID))) {
    const program = readIfThere(`/proc/${pid}/comm`)?.trim();
    if (program === "tar" || program === "perl") killProcess(pid);
  }
}

/** The copy into some container counts no more: what is restored next gets all files again. */
export function forgetFilled(host: Host, moveUID: string): void {
  const { filesFor, volumesFilled } = targetMoveOf(moveUID);
  for (const mark of [filesFor, volumesFilled]) rmSync(host.path(mark), { force: true });
}

interface Copying {
  container: string;
  abort: AbortController;
  done: Promise<void>;
}

export class FileApplying {
  readonly #host: Host;
  readonly #moveUID: string;
  readonly #emptyDirs: readonly EmptyDir[];
  #copying: Copying | undefined;
  #ahead: Promise<void> | undefined;
  readonly #ended = new AbortController();

  constructor(host: Host, moveUID: string, emptyDirs: readonly EmptyDir[]) {
    this.#host = host;
    this.#moveUID = moveUID;
    this.#emptyDirs = emptyDirs;
  }

  /** Resolves when `container` has all files. Rejects with `RestoreFailed` when not all have landed or they cannot be copied. */
  async give(container: string): Promise<void> {
    while (!hasFiles(this.#host, this.#moveUID, container)) {
      if (!this.landed()) throw new AgentError("RestoreFailed", "the files of the checkpoint are not complete");
      if (this.#copying?.container !== container) await this.#endCopy();
      this.#copying ??= this.#start(container);
      await this.#copying.done;
    }
  }

  landed(): boolean {
    return allLanded(this.#host, this.#moveUID, this.#emptyDirs);
  }

  /**
   * From now on each container that waits gets the files, while the memory still comes, so that the restore finds them there: until one of
   * them is being restored or `end` is called. A failure goes to `onFailed`; the restore tries again.
   */
  giveAhead(onFailed: (error: unknown) => void): void {
    this.#ahead ??= this.#giveToWaiting(onFailed).catch(onFailed);
  }

  async #giveToWaiting(onFailed: (error: unknown) => void): Promise<void> {
    let failed: string | undefined;
    const restorePid = this.#host.path(targetMoveOf(this.#moveUID).restorePid);
    while (!this.#ended.signal.aborted && !existsSync(restorePid)) {
      const [newest] = waitingCreates(this.#host, this.#moveUID);
      if (newest !== undefined && newest !== failed) {
        await this.give(newest).catch((error: unknown) => {
          failed = newest;
          onFailed(error);
        });
      }
      await sleep(POLL_MS);
    }
  }

  /** Resolves when nothing is copied any more. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#endCopy();
    await this.#ahead;
  }

  async #endCopy(): Promise<void> {
    this.#copying?.abort.abort();
    await this.#copying?.done.catch(() => undefined);
  }

  #start(container: string): Copying {
    const abort = new AbortController();
    const done = this.#copy(container, AbortSignal.any([abort.signal, this.#ended.signal])).finally(() => {
      this.#copying = undefined;
    });
    done.catch(() => undefined); // `give` awaits it
    return { container, abort, done };
  }

  async #copy(container: string, signal: AbortSignal): Promise<void> {
    const { filesFor } = targetMoveOf(this.#moveUID);
    rmSync(this.#host.path(filesFor), { force: true });
    try {
      const bundle = targetBundle(this.#host, container);
      await allEnded([this.#copyLayer(bundle, signal), this.#copyVolumes(bundle, signal)]);
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new AgentError("RestoreFailed", `the files could not be copied into the container: ${said}`, { cause });
    }
    signal.throwIfAborted();
    writeDurably(this.#host.path(filesFor), `${container}\n`);
  }

  async #copyLayer({ rootfs }: TargetBundle, signal: AbortSignal): Promise<void> {
    const { listing, layer } = expectedFiles(this.#moveUID, this.#emptyDirs);
    const root = this.#host.path(rootfs);
    await removeDeleted(this.#group, root, this.#host.path(listing), signal);
    await unpackIntoMount(this.#group, root, this.#host.path(layer), signal);
  }

  /** The volumes are the pod's: a further container of it finds them as the copy before left them. */
  async #copyVolumes(bundle: TargetBundle, signal: AbortSignal): Promise<void> {
    const filled = this.#host.path(targetMoveOf(this.#moveUID).volumesFilled);
    if (existsSync(filled)) return;
    const { emptyDirs } = expectedFiles(this.#moveUID, this.#emptyDirs);
    const copy = (group: Group, { name, file }: { name: string; file: string }) => {
      const directory = bundle.emptyDirs.get(name);
      if (!directory) throw new Error(`it mounts no emptyDir ${name}`);
      return unpack(group, this.#host.path(directory), this.#host.path(file), signal);
    };
    const inMemory = emptyDirs.filter(({ memory }) => memory);
    const onDisk = emptyDirs.filter(({ memory }) => !memory);
    await allEnded([
      ...onDisk.map(async (volume) => await copy(this.#group, volume)),
      this.#inPodGroup(bundle, inMemory.length > 0, async (group) => {
        await allEnded(inMemory.map(async (volume) => await copy(group, volume)));
      }),
    ]);
    writeFileSync(filled, "");
  }

  /** What is written to a volume in memory is the pod's to pay for. */
  async #inPodGroup({ podGroup }: TargetBundle, needed: boolean, work: (group: Group) => Promise<void>): Promise<void> {
    if (!needed) return;
    if (podGroup === undefined) throw new Error("its pod's control group is not known");
    const pod = await makePodGroup(this.#host, podGroup);
    const { host, procs } = this.#group;
    await work({ host, procs: [...procs, pod.procs] }).finally(pod.end);
  }

  get #group(): Group {
    return { host: this.#host, procs: makeMoveGroup(this.#host, this.#moveUID, undefined) };
  }
}

/** As Promise.all, but rejects only when none of them runs any more. */
async function allEnded(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
}
