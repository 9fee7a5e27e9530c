/** A process that dies at a chosen I/O boundary: right before a call is made, or right after it, its answer lost. */
import type { CheckpointDriver } from "../../../src/checkpointing/driver.ts";
import type { KubeClient } from "../../../src/kube/client.ts";

export class Crash extends Error {
  override readonly name = "Crash";
}

/** Counts calls; two boundaries each. */
export class Lifetime {
  /** Boundaries passed so far. */
  passed = 0;
  readonly trace: string[] = [];
  readonly #dieAt: number;
  #dead = false;

  /** @param dieAt the boundary at which to die, from 1; Infinity: never. */
  constructor(dieAt: number) {
    this.#dieAt = dieAt;
  }

  async around<T>(name: string, call: () => Promise<T>): Promise<T> {
    this.trace.push(name);
    this.#boundary(`before ${name}`);
    const answer = await call();
    this.#boundary(`after ${name}`);
    return answer;
  }

  #boundary(where: string): void {
    if (!this.#dead && ++this.passed === this.#dieAt) this.#dead = true;
    if (this.#dead) throw new Crash(where);
  }
}

/** Every method of `target`, each call lived through `lifetime`. */
export function mortal<T extends KubeClient | CheckpointDriver>(target: T, lifetime: Lifetime): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => lifetime.around(String(name), () => member.apply(object, args));
    },
  });
}
