/**
 * Holds the leading controller right after it has written a phase of a move, as a long pause of its process would: so that a fault strikes before its
 * next step. One move at a time. What is loaded into the controllers for this is harness/failpoint.mjs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ControllerPod, controllersOf, isHeld, letGo, tellController } from "../harness/failpoints.ts";
import type { Scene } from "./scene.ts";

const HELD_WITHIN_MS = 2000;

export class Steering {
  readonly #move: string;
  readonly #armed: number;
  readonly #controllers: readonly ControllerPod[];

  private constructor(move: string, armed: number, controllers: readonly ControllerPod[]) {
    this.#move = move;
    this.#armed = armed;
    this.#controllers = controllers;
  }

  /** From now on whichever controller writes the phase is held. Undefined: another move is being steered. */
  static async towards(scene: Scene, move: string, phase: string): Promise<Steering | undefined> {
    if (scene.steered) return undefined;
    scene.steered = move;
    const controllers = await controllersOf(scene.cluster, scene.api).catch((error: unknown) => {
      scene.steered = undefined;
      throw error;
    });
    const armed = Date.now();
    const wanted = { phase, path: `/podmigrations/${move}/`, act: "hold" as const, armed };
    for (const controller of controllers) tellController(controller, wanted);
    return new Steering(move, armed, controllers);
  }

  /** Resolves with whether a controller is held, at once or within two seconds. */
  async isHolding(): Promise<boolean> {
    for (const end = Date.now() + HELD_WITHIN_MS; Date.now() < end; await sleep(5)) {
      if (this.#controllers.some((controller) => isHeld(controller, this.#armed))) return true;
    }
    return false;
  }

  /** The controller goes on, and none is held any more. Safe to call twice. */
  letGo(scene: Scene): void {
    if (scene.steered !== this.#move) return;
    for (const controller of this.#controllers) {
      letGo(controller, this.#armed);
      tellController(controller, undefined);
    }
    scene.steered = undefined;
  }
}
