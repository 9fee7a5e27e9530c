/**
 * Keeps a frozen source from being started cold beside its copy. A kubelet that ends the frozen container (its liveness probe fails) while it
 * is cut off from the API starts the pod's container again. From the freeze until the move is resumed or cleaned up, every container of
 * the source's pod dies at birth, but for its sandbox and the frozen one. One that has run before the agent was back is frozen.
 *
 * Once the frozen container is gone, the pod's own group is frozen. What is born in there inherits that, and never comes to its first
 * instruction, whether the agent looks or not. While the frozen container is there its kubelet must be able to thaw and end it, and CRIU to
 * work on it, so the pod's group stays as it is.
 */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { GuardedSource } from "../node-runtime.ts";
import { cgroupVersion, type Freezer, isFrozen, killProcess, processesOf, setFrozen } from "./cgroups.ts";
import { bundleOf } from "./containers.ts";
import { entriesOf, isMissing, readIfThere } from "./files.ts";
import type { Host } from "./host.ts";
import { sourceMoveOf } from "./layout.ts";
import { isBeingKilled } from "./processes.ts";
import { type Frozen, noteIn } from "./source-watch.ts";

/** A kubelet needs longer than this from a container's end to the next one's birth. */
const LOOK_EVERY_MS = 25;
const SEARCH_EVERY_MS = 1_000;
/** A task that is being killed dies within this time of its thaw; the group isn't left open longer. */
const DYING_MS = 2;
const ROOT = "/sys/fs/cgroup";
/** Deeper than any pod's group below the root: kubepods, quality of service, pod. */
const POD_DEPTH = 5;

interface Guarded extends GuardedSource {
  podGroup?: string | undefined;
  /** When its pod's group was last searched for. */
  searchedAtMs?: number;
  /** Containers that were ended at birth. */
  ended: Set<string>;
  sandboxes: Set<string>;
  /** Started while no agent was there: they are frozen with their pod, and not ended. */
  spared: Set<string>;
}

export class SourceGuard {
  readonly #host: Host;
  readonly #warn: (message: string) => void;
  readonly #guarded = new Map<string, Guarded>();
  #timer: NodeJS.Timeout | undefined;

  constructor(host: Host, warn: (message: string) => void) {
    this.#host = host;
    this.#warn = warn;
  }

  /** Guards from the moment on in which the source is frozen. */
  watch(source: GuardedSource): void {
    const sets = () => ({ ended: new Set<string>(), sandboxes: new Set<string>(), spared: new Set<string>() });
    const { ended, sandboxes, spared } = this.#guarded.get(source.moveUID) ?? sets();
    this.#guarded.set(source.moveUID, { ...source, ended, sandboxes, spared });
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /**
   * Guards again after a restart of the agent. A container that the kubelet has started in the meantime is frozen, not killed, because it has already
   * run. The controller decides about it: it continues if the move is rolled back.
   */
  resume(source: GuardedSource): void {
    this.watch(source);
    const guarded = this.#guarded.get(source.moveUID);
    if (guarded === undefined) return;
    unlessGone(() => {
      guarded.podGroup = this.#search(guarded);
      if (guarded.podGroup === undefined || lives(this.#host, frozenOf(this.#host, source.moveUID))) return;
      for (const { id } of newborns(this.#host, guarded.podGroup, guarded)) guarded.spared.add(id);
    });
    this.look();
  }

  /** The pod's containers may run again. */
  release(moveUID: string, podUID: string): void {
    this.#guarded.delete(moveUID);
    if (this.#guarded.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const group = podGroupOf(this.#host, moveUID, podUID);
    if (group !== undefined) unlessGone(() => setFrozen(this.#host, freezerOf(this.#host, group), false));
  }

  /** How many containers of the source's pod were ended at birth; undefined when it isn't guarded. */
  ended(moveUID: string): number | undefined {
    return this.#guarded.get(moveUID)?.ended.size;
  }

  look(): void {
    for (const source of this.#guarded.values()) {
      try {
        unlessGone(() => this.#lookAt(source));
      } catch (error) {
        this.#warn(`move ${source.moveUID}: its source's pod can't be guarded: ${String(error)}`);
      }
    }
  }

  /** All groups are searched when the note of the freeze is gone: now and then only. */
  #search(source: Guarded): string | undefined {
    if (performance.now() - (source.searchedAtMs ?? Number.NEGATIVE_INFINITY) < SEARCH_EVERY_MS) return undefined;
    source.searchedAtMs = performance.now();
    return podGroupOf(this.#host, source.moveUID, source.podUID);
  }

  #lookAt(source: Guarded): void {
    const frozen = frozenOf(this.#host, source.moveUID);
    if (frozen === undefined && !source.dumped) return;
    source.podGroup ??= this.#search(source);
    if (source.podGroup === undefined) return;
    const freezer = freezerOf(this.#host, source.podGroup);
    const isThere = lives(this.#host, frozen);
    if (!isThere && !isFrozen(this.#host, freezer)) setFrozen(this.#host, freezer, true);
    for (const { id, pids } of newborns(this.#host, source.podGroup, source)) {
      if (!source.ended.has(id)) this.#warn(`move ${source.moveUID}: container ${id} of its source's pod was ended`);
      source.ended.add(id);
      for (const pid of pids) killProcess(pid);
    }
    // With version 1 a task dies only when it is thawed; those of the sandbox are the kubelet's to end.
    const dying = freezer.version === 1 && processesOf(this.#host, source.podGroup).some(isBeingKilled);
    if (!dying || isThere) return;
    setFrozen(this.#host, freezer, false);
    setTimeout(() => this.look(), DYING_MS).unref();
  }
}

function freezerOf(host: Host, group: string): Freezer {
  return { version: cgroupVersion(host), group };
}

/** Is the frozen container's init still there? */
function lives(host: Host, frozen: Frozen | undefined): boolean {
  return frozen?.group !== undefined && processesOf(host, frozen.group).includes(frozen.pid ?? 0);
}

function frozenOf(host: Host, moveUID: string): Frozen | undefined {
  return noteIn(readIfThere(host.path(sourceMoveOf(moveUID).frozen)));
}

/** The group (host path) of all of the pod's containers; undefined when it has none, or none of its own. */
function podGroupOf(host: Host, moveUID: string, podUID: string): string | undefined {
  const group = frozenOf(host, moveUID)?.group;
  if (group !== undefined) return podUID === "" || isPods(dirname(group), podUID) ? dirname(group) : undefined;
  const root = cgroupVersion(host) === 2 ? ROOT : join(ROOT, "freezer");
  for (const path of groupsBelow(host, root, POD_DEPTH)) if (isPods(path, podUID)) return path;
  return undefined;
}

/** Both of the kubelet's cgroup drivers put the UID into the name. */
function isPods(group: string, podUID: string): boolean {
  const name = basename(group);
  return podUID !== "" && (name.includes(podUID) || name.includes(podUID.replaceAll("-", "_")));
}

function* groupsBelow(host: Host, group: string, depth: number): Generator<string> {
  for (const entry of childGroups(host, group)) {
    const path = join(group, entry);
    yield path;
    if (depth > 1) yield* groupsBelow(host, path, depth - 1);
  }
}

function childGroups(host: Host, group: string): string[] {
  if (entriesOf(host.path(group)).length === 0) return [];
  return readdirSync(host.path(group), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** Containers of the pod that have tasks, but for the sandbox, the frozen one, and those that are spared. */
function newborns(
  host: Host,
  podGroup: string,
  { containerID, sandboxes, spared }: Guarded,
): { id: string; pids: number[] }[] {
  return childGroups(host, podGroup)
    .map((name) => ({ name, id: name.replace(/^.*-(?=[0-9a-f]+\.scope$)/, "").replace(/\.scope$/, "") }))
    .filter(({ id }) => id !== containerID && !sandboxes.has(id) && !spared.has(id))
    .filter(({ id }) => {
      const kind = kindOf(host, id);
      if (kind === "sandbox") sandboxes.add(id);
      return kind === "container";
    })
    .map(({ name, id }) => ({ id, pids: processesOf(host, join(podGroup, name)) }))
    .filter(({ pids }) => pids.length > 0);
}

/** As containerd wrote it into the bundle, before the container's first task was born. */
function kindOf(host: Host, id: string): string | undefined {
  const config = readIfThere(host.path(`${bundleOf(host, id)}/config.json`)) ?? "";
  return /"io\.kubernetes\.cri\.container-type"\s*:\s*"([^"\\]+)"/.exec(config)?.[1];
}

function unlessGone(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
