/**
 * The target's steps once the checkpoint is there: restore (held before the first instruction), release, abort. The restore itself
 * is the runtime wrapper's, inside containerd's `create`; the agent gets everything ready, gives the word and looks.
 */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentError } from "../agent-error.ts";
import type { Command, Released, Restored } from "../protocol.ts";
import { restoreAffinity } from "./affinity.ts";
import { killGroup, makeMoveGroup } from "./cgroups.ts";
import { type Container, findContainer, pidsOf } from "./containers.ts";
import { endCopy, wrapperOf } from "./copy-ending.ts";
import { errorsIn, namesAKind } from "./criu-log.ts";
import { exitCodeOf, outputOf, startDetached, waitForExit, wasStarted } from "./detached.ts";
import { hasFiles } from "./file-applying.ts";
import { readIfThere } from "./files.ts";
import { type Host, runtimeOf } from "./host.ts";
import { registrationOf, startMarkOf, targetMoveOf } from "./layout.ts";
import { setMountFlags } from "./mount-flags.ts";
import { pageServerOf } from "./page-server.ts";
import { isHeld, isStopped, runsWith } from "./processes.ts";
import { isAborted, isRegistered, isReleased, markReleased } from "./registration.ts";
import { tellCreate, waitForCreate, waitingCreates } from "./waiting-create.ts";

export interface RestoreLimits {
  /** How long a `create` is waited for, how long a restore may take, and from its end to containerd's `start`, milliseconds. */
  createMs: number;
  restoreMs: number;
  startMs: number;
}

/** A `create` that neither waits nor restores for so long has gone without its word, e.g. because its own time was up. */
const SILENCE_MS = 2_000;

type PodCommand = Command & { podUID: string };

/** Name of the detached `criu lazy-pages`. */
export function lazyPagesOf(moveUID: string): string {
  return join(targetMoveOf(moveUID).directory, "lazy-pages");
}

/**
 * $1: the file that the runtime wrapper names the container in; $2, $3: runc and its root. Freezes the container with nothing but the shell's own commands, in well under
 * a millisecond, and kills it then.
 */
export const END_WITHOUT_MEMORY = `read -r wrapper container <"$1"
read -r state <"$3/$container/state.json"
pid=\${state#*'"init_process_pid":'} pid=\${pid%%[!0-9]*}
while IFS=: read -r number controllers group; do
  case $controllers in
    freezer) echo FROZEN >"/sys/fs/cgroup/freezer$group/freezer.state" ;;
    '') [ ! -e "/sys/fs/cgroup$group/cgroup.freeze" ] || echo 1 >"/sys/fs/cgroup$group/cgroup.freeze" ;;
  esac
done <"/proc/$pid/cgroup"
"$2" --root "$3" kill --all "$container" KILL`;

/**
 * Starts what serves the memory while the container already runs, as soon as the images are there. Should it fail, the memory
 * that it hasn't delivered would read as zeros: so the container is frozen and killed with it.
 */
export async function startLazyPages(host: Host, moveUID: string): Promise<void> {
  const move = targetMoveOf(moveUID);
  if (wasStarted(host, lazyPagesOf(moveUID))) return;
  const { runc, runcRoot } = runtimeOf(host);
  const criu = `criu lazy-pages -D ${move.images} -W ${move.work} -o lazy-pages.log -v2 --status-fd 8 8>${move.lazyReady}`;
  await startDetached(host, {
    name: lazyPagesOf(moveUID),
    argv: ["/bin/sh", "-c", `exec ${criu}`],
    groups: makeMoveGroup(host, moveUID, undefined),
    onFailure: `set -- ${move.restorePid} '${runc}' '${runcRoot}'; ${END_WITHOUT_MEMORY}`,
  });
}

async function lazyPagesReady(host: Host, moveUID: string, signal: AbortSignal): Promise<void> {
  const ready = host.path(targetMoveOf(moveUID).lazyReady);
  while (!existsSync(ready) || statSync(ready).size === 0) {
    const code = exitCodeOf(host, lazyPagesOf(moveUID));
    if (code !== undefined) {
      throw new AgentError(
        "RestoreFailed",
        `criu lazy-pages ended with ${code}: ${outputOf(host, lazyPagesOf(moveUID))}`,
      );
    }
    signal.throwIfAborted();
    await sleep(2);
  }
  writeFileSync(host.path(targetMoveOf(moveUID).lazy), "");
}

/** Resolves when the page server has everything. */
export async function pagesArrived(host: Host, moveUID: string, signal: AbortSignal, ms: number): Promise<void> {
  if (!wasStarted(host, pageServerOf(moveUID))) throw new AgentError("RestoreFailed", "no pages have arrived");
  const code = await waitForExit(host, pageServerOf(moveUID), { signal, ms });
  if (code === 0) return;
  const log = readIfThere(host.path(join(targetMoveOf(moveUID).work, "page-server.log")));
  throw new AgentError("RestoreFailed", `the page server failed: ${errorsIn(log) || `exit code ${code}`}`);
}

/** Copies a move's files into a container whose `create` waits, unless it has them, and makes the images fit it. */
export type PrepareContainer = (container: string) => Promise<void>;

export async function restore(
  host: Host,
  command: PodCommand,
  prepare: PrepareContainer,
  isLazy: () => Promise<boolean>,
  signal: AbortSignal,
  limits: RestoreLimits,
): Promise<Restored> {
  const move = targetMoveOf(command.moveUID);
  const startedAt = Date.now();
  const timings: Record<string, number> = {};
  if (!existsSync(host.path(registrationOf(command.podUID).claimed)) && !wrapperOf(host, command.moveUID)) {
    if (!existsSync(host.path(move.imagesComplete)))
      throw new AgentError("RestoreFailed", "the checkpoint is not complete");
    await pagesArrived(host, command.moveUID, signal, limits.restoreMs);
    if (await isLazy()) {
      await startLazyPages(host, command.moveUID);
      await lazyPagesReady(host, command.moveUID, signal);
    }
    const told = await giveWord(host, command, prepare, signal, limits);
    await heard(host, command, told, () => giveWord(host, command, prepare, signal, limits));
    timings.ready = Date.now() - startedAt;
  }
  await restoreEnded(host, command, signal, limits);
  timings.restore = Date.now() - startedAt - (timings.ready ?? 0);
  const container = restoredContainer(host, command.moveUID);
  if (!container) throw copyDead();
  await held(host, container, signal);
  await started(host, command.moveUID, container, signal, limits.startMs);
  const group = { host, procs: makeMoveGroup(host, command.moveUID, undefined) };
  await setMountFlags(group, container);
  await restoreAffinity(group, container, host.path(move.images));
  timings.held = Date.now() - startedAt - (timings.ready ?? 0) - timings.restore;
  return { containerID: container.id, pid: container.pid, timings };
}

function copyDead(): AgentError {
  return new AgentError("CopyDead", "the restored container has died before it was released");
}

/** The word goes to one container only: the one that has all files. A later one gets them first. */
async function giveWord(
  host: Host,
  command: PodCommand,
  prepare: PrepareContainer,
  signal: AbortSignal,
  limits: RestoreLimits,
): Promise<string> {
  let deadline = Date.now() + limits.createMs;
  while (Date.now() <= deadline) {
    const container = await waitForCreate(host, command.moveUID, { ms: deadline - Date.now(), signal });
    signal.throwIfAborted();
    if (container === undefined) break;
    const waits = () => waitingCreates(host, command.moveUID)[0] === container;
    const beganMs = Date.now();
    await prepare(container).catch((error: unknown) => {
      if (waits()) throw error; // else its create has ended meanwhile
    });
    deadline += Date.now() - beganMs; // a create was there all the while
    signal.throwIfAborted();
    const ready = waits() && hasFiles(host, command.moveUID, container);
    if (ready && tellCreate(host, command.moveUID, container, "restore")) return container;
    await sleep(2); // it has not opened its fifo yet, or has just gone
  }
  throw new AgentError(
    "RestoreFailed",
    `containerd did not create the target's container within ${limits.createMs} ms`,
  );
}

/** A `create` whose own time was up when the word came does not restore: then the next one gets the word. */
async function heard(host: Host, command: PodCommand, told: string, tell: () => Promise<string>): Promise<void> {
  const deadline = Date.now() + SILENCE_MS;
  const known = new Set([told, ...waitingCreates(host, command.moveUID)]);
  while (wrapperOf(host, command.moveUID) === undefined && Date.now() <= deadline) {
    const [newest] = waitingCreates(host, command.moveUID);
    if (newest !== undefined && !known.has(newest)) known.add(await tell());
    else await sleep(2);
  }
}

async function restoreEnded(
  host: Host,
  command: PodCommand,
  signal: AbortSignal,
  limits: RestoreLimits,
): Promise<void> {
  const move = targetMoveOf(command.moveUID);
  const deadline = Date.now() + limits.restoreMs;
  let heardMs = Date.now();
  for (;;) {
    const lives = wrapperLives(host, command.moveUID);
    if (lives === true) heardMs = Date.now();
    const code = readIfThere(host.path(move.restoreExit));
    if (code !== undefined && Number(code) === 0) return;
    if (code !== undefined || lives === false || Date.now() - heardMs > SILENCE_MS) {
      await endCopy(host, command.moveUID); // the wrapper may be gone, and the runc that it started not
      const log = readIfThere(host.path(join(move.work, "restore.log")));
      throw new AgentError(
        namesAKind(log) ? "NotCarried" : "RestoreFailed",
        `the container could not be restored: ${errorsIn(log) || `runc ended with ${code ?? "no word"}`}`,
      );
    }
    signal.throwIfAborted();
    if (Date.now() > deadline)
      throw new AgentError("RestoreFailed", `the restore has not ended after ${limits.restoreMs} ms`);
    await sleep(2);
  }
}

/** Does the wrapper work on the restore, or wait for its word? Undefined: it has left no word of itself. */
function wrapperLives(host: Host, moveUID: string): boolean | undefined {
  const wrapper = wrapperOf(host, moveUID);
  if (wrapper === undefined) return waitingCreates(host, moveUID).length > 0 ? true : undefined;
  return runsWith(wrapper.pid, wrapper.container) || existsSync(host.path(targetMoveOf(moveUID).restoreExit));
}

/** The container that the wrapper restored, or was about to. */
export function restoredContainer(host: Host, moveUID: string): Container | undefined {
  const wrapper = wrapperOf(host, moveUID);
  return wrapper && findContainer(host, wrapper.container);
}

/** Resolves when every task is stopped. CRIU stops them as it ends, so this is normally so at once. */
async function held(host: Host, container: Container, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (!pidsOf(host, container).every(isStopped)) {
    signal.throwIfAborted();
    if (Date.now() > deadline) throw new AgentError("RestoreFailed", "the restored container is not held");
    await sleep(1);
  }
  if (pidsOf(host, container).length === 0) throw copyDead();
}

/**
 * Resolves when containerd has called `start`, for which the wrapper takes the mark away. Until then the copy is not containerd's: if the call for
 * its `create` was broken off meanwhile (the kubelet or containerd was restarted, the kubelet's time was up), containerd deletes it
 * as soon as it can, also when it runs. Such a copy is killed here, and never released.
 */
async function started(
  host: Host,
  moveUID: string,
  container: Container,
  signal: AbortSignal,
  startMs: number,
): Promise<void> {
  const mark = host.path(startMarkOf(container.id));
  const deadline = Date.now() + startMs;
  while (existsSync(mark)) {
    if (pidsOf(host, container).length === 0) throw copyDead();
    signal.throwIfAborted();
    if (Date.now() > deadline) {
      await endCopy(host, moveUID);
      throw new AgentError("CopyDead", "containerd has given up the container that was restored, and would delete it");
    }
    await sleep(2);
  }
}

/**
 * Decides that the copy runs. The mark on the disk alone says that it may have run: so it is only made for a copy that is there, and
 * without it a copy that has died is known never to have run.
 */
export function decideRelease(host: Host, { moveUID, podUID }: PodCommand): void {
  if (isReleased(host, podUID)) return;
  const alive = copyAlive(host, moveUID);
  if (alive === undefined && wrapperLives(host, moveUID) === true) {
    throw new AgentError("WrongState", "the copy is still being restored", { retryable: true });
  }
  if (alive !== true && !isAborted(host, podUID)) {
    // A registration that is lost may have had the mark.
    if (!isRegistered(host, podUID)) throw new AgentError("ReleaseFailed", "there is no copy, and it may have run");
    throw new AgentError("CopyDead", "the held copy has died before it was released");
  }
  if (alive === true && isEnding(host, moveUID)) {
    throw new AgentError("WrongState", "the held copy is being killed", { retryable: true });
  }
  markReleased(host, podUID);
}

/** Its memory is still being freed: for some ten milliseconds its processes are listed, and never run again. */
function isEnding(host: Host, moveUID: string): boolean {
  const container = restoredContainer(host, moveUID);
  const pids = container ? pidsOf(host, container) : [];
  return pids.length === 0 || !pids.every(isHeld);
}

/** Undefined: no restore has ended, or containerd has not yet started what was restored. */
export function copyAlive(host: Host, moveUID: string): boolean | undefined {
  const code = readIfThere(host.path(targetMoveOf(moveUID).restoreExit));
  if (code === undefined) return undefined;
  if (Number(code) !== 0) return false;
  const container = restoredContainer(host, moveUID);
  if (container === undefined || pidsOf(host, container).length === 0) return false;
  return existsSync(host.path(startMarkOf(container.id))) ? undefined : true;
}

/** It was restored, and lives; containerd has not yet started it. */
export function isUnstarted(host: Host, moveUID: string): boolean {
  const container = restoredContainer(host, moveUID);
  if (container === undefined || !existsSync(host.path(startMarkOf(container.id)))) return false;
  return pidsOf(host, container).length > 0;
}

/** SIGCONT to every stopped task of a copy whose release is decided. */
export async function release(host: Host, command: PodCommand): Promise<Released> {
  const container = restoredContainer(host, command.moveUID);
  const pids = container ? pidsOf(host, container) : [];
  if (pids.length === 0)
    throw new AgentError("ReleaseFailed", "the released copy has died; the kubelet starts the pod from the beginning");
  const releasedAtMs = Date.now();
  for (const pid of pids) continueProcess(pid);
  return { releasedAtMs };
}

function continueProcess(pid: number): void {
  if (isStopped(pid)) process.kill(pid, "SIGCONT");
}

/** Called once the move is marked as aborted: ends the restore or the held copy. Resolves when none of its processes is left. */
export async function abort(host: Host, command: Command): Promise<void> {
  for (const container of waitingCreates(host, command.moveUID))
    tellCreate(host, command.moveUID, container, "rolled back");
  await endCopy(host, command.moveUID);
}

/**
 * Resolves when the lazily restored memory is all there, or with why not: the container is dead with it then, for memory that never came
 * would read as zeros. Rejects (retryable) when that takes longer than `ms`.
 */
export async function memoryComplete(host: Host, moveUID: string, ms: number): Promise<string | undefined> {
  if (!wasStarted(host, lazyPagesOf(moveUID))) return undefined;
  const code = await waitForExit(host, lazyPagesOf(moveUID), { ms }).catch((cause: unknown) => {
    throw new AgentError("WrongState", "the restored memory is still being filled", { retryable: true, cause });
  });
  if (code === 0) return undefined;
  const container = restoredContainer(host, moveUID);
  if (container) await killGroup(host, container.group);
  const log = errorsIn(readIfThere(host.path(join(targetMoveOf(moveUID).work, "lazy-pages.log"))));
  return `not all of the memory came, and the container was ended: criu lazy-pages ended with ${code}${log && `: ${log}`}`;
}
