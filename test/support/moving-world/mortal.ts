/** A process to which something happens at a chosen I/O boundary: right before a call is made, or right after it. */
import type { CheckpointDriver } from "../../../src/checkpointing/driver.ts";
import type { KubeClient } from "../../../src/kube/client.ts";

export class Crash extends Error {
  override readonly name = "Crash";
}

/** What each call of a process is lived through. */
export interface Fate {
  around<T>(name: string, call: () => Promise<T>): Promise<T>;
}

/** Counts the boundaries that a process passes: two for each call. */
abstract class Counting implements Fate {
  /** Boundaries passed so far. */
  passed = 0;
  readonly trace: string[] = [];

  async around<T>(name: string, call: () => Promise<T>): Promise<T> {
    this.trace.push(name);
    await this.boundary(++this.passed, name);
    const answer = await call();
    await this.boundary(++this.passed, name);
    return answer;
  }

  protected abstract boundary(number: number, name: string): Promise<void>;
}

/** Dies at a boundary, counted from 1; never, by default. Once dead, every call fails. */
export class Lifetime extends Counting {
  readonly #dieAt: number;
  #dead = false;

  constructor(dieAt = Number.POSITIVE_INFINITY) {
    super();
    this.#dieAt = dieAt;
  }

  protected async boundary(number: number, name: string): Promise<void> {
    if (number === this.#dieAt) this.#dead = true;
    if (this.#dead) throw new Crash(name);
  }
}

/** At one boundary something happens: the call fails with what `happen` throws, or waits for what it returns. */
export class Interlude extends Counting {
  readonly #at: number;
  readonly #happen: (name: string) => void | Promise<void>;

  constructor(at: number, happen: (name: string) => void | Promise<void>) {
    super();
    this.#at = at;
    this.#happen = happen;
  }

  protected async boundary(number: number, name: string): Promise<void> {
    if (number === this.#at) await this.#happen(name);
  }
}

/** Every method of `target`, each call lived through `fate`. */
export function mortal<T extends KubeClient | CheckpointDriver>(target: T, fate: Fate): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => fate.around(String(name), () => member.apply(object, args));
    },
  });
}
