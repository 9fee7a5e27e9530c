/**
 * Holds the leading controller right after it has written a phase of a move, as a long pause of its process would: so that a fault strikes before its
 * next step. One move at a time. What is loaded into the controllers for this is harness/failpoint.mjs.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { machineOf } from "../cluster/cluster.ts";
import type { Machine } from "../cluster/machine.ts";
import { headroomPods, temporaryFolder } from "../harness/headroom.ts";
import type { Scene } from "./scene.ts";

const HELD_WITHIN_MS = 2000;

/** A controller's /tmp, which outlives its container. */
interface Folder {
  machine: Machine;
  path: string;
}

export class Steering {
  readonly #move: string;
  readonly #armed: number;
  readonly #folders: readonly Folder[];

  private constructor(move: string, armed: number, folders: readonly Folder[]) {
    this.#move = move;
    this.#armed = armed;
    this.#folders = folders;
  }

  /** From now on whichever controller writes the phase is held. Undefined: another move is being steered. */
  static async towards(scene: Scene, move: string, phase: string): Promise<Steering | undefined> {
    if (scene.steered) return undefined;
    scene.steered = move;
    const folders = await foldersOf(scene).catch((error: unknown) => {
      scene.steered = undefined;
      throw error;
    });
    const armed = Date.now();
    const wanted = { phase, path: `/podmigrations/${move}/`, act: "hold", armed };
    for (const folder of folders) write(folder, "failpoint.json", JSON.stringify(wanted));
    return new Steering(move, armed, folders);
  }

  /** Resolves with whether a controller is held, at once or within two seconds. */
  async isHolding(): Promise<boolean> {
    for (const end = Date.now() + HELD_WITHIN_MS; Date.now() < end; await sleep(5)) {
      if (this.#folders.some((folder) => isThere(folder, `failpoint-hit-${this.#armed}`))) return true;
    }
    return false;
  }

  /** The controller goes on, and none is held any more. Safe to call twice. */
  letGo(scene: Scene): void {
    if (scene.steered !== this.#move) return;
    for (const folder of this.#folders) {
      write(folder, `failpoint-go-${this.#armed}`, "");
      remove(folder, "failpoint.json");
    }
    scene.steered = undefined;
  }
}

async function foldersOf({ api, cluster }: Scene): Promise<Folder[]> {
  const placed = (await headroomPods(api, "controller")).filter(({ spec }) => spec?.nodeName);
  return placed.map((pod) => ({
    machine: machineOf(cluster, pod.spec?.nodeName ?? ""),
    path: temporaryFolder(pod),
  }));
}

function isThere({ machine, path }: Folder, file: string): boolean {
  return machine.isOn && existsSync(machine.path(`${path}/${file}`));
}

/** Nothing to do for a controller that is gone, or whose machine is off. */
function write(folder: Folder, file: string, text: string): void {
  try {
    if (isThere(folder, "")) writeFileSync(folder.machine.path(`${folder.path}/${file}`), text);
  } catch {
    // its disk is full, or it has just gone: it is not held then
  }
}

function remove({ machine, path }: Folder, file: string): void {
  if (machine.isOn) rmSync(machine.path(`${path}/${file}`), { force: true });
}
