/** The witness: hears, outside of the cluster, what every workload says of itself. */
import { Worker } from "node:worker_threads";
import type { Settings } from "../cluster/settings.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Testimony } from "./testimony.ts";

export const WITNESS_PORT = 7000;

export class Witness {
  readonly #worker: Worker;
  readonly #asked = new Map<number, (testimony: Testimony) => void>();
  #nextId = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (answer: { id: number; testimony: Testimony }) => {
      this.#asked.get(answer.id)?.(answer.testimony);
      this.#asked.delete(answer.id);
    });
  }

  static async open(settings: Settings): Promise<Witness> {
    const worker = new Worker(new URL("./witness-worker.ts", import.meta.url), {
      workerData: { address: settings.hostAddress, port: WITNESS_PORT, instance: settings.instance },
    });
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return new Witness(worker);
  }

  /** What was heard of a workload up to now. */
  testimony(name: string): Promise<Testimony> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.#worker.postMessage({ id, name });
    });
  }

  /** Resolves when the workload speaks, or speaks on: `more` further statements from now. */
  async hears(name: string, more = 50, limitSeconds = 30): Promise<Testimony> {
    const before = (await this.testimony(name)).statements;
    return waitFor(`${name} to tell the witness ${more} times more`, limitSeconds, async () => {
      const now = await this.testimony(name);
      return now.statements >= before + more && now;
    });
  }

  /** Resolves when the workload holds so much. */
  holds(name: string, mebibytes: number, limitSeconds: number): Promise<Testimony> {
    return waitFor(`${name} to hold ${mebibytes} MiB`, limitSeconds, async () => {
      const now = await this.testimony(name);
      return now.heldMiB >= mebibytes && now;
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** One process, once, without a gap, with its memory intact: what a move must leave as it was. */
export function assertOneLife(name: string, testimony: Testimony): void {
  const lives = testimony.lives.length;
  const restarted = lives === 1 ? [] : [`${lives} instances were heard, not 1`];
  const faults = [...restarted, ...testimony.violations.map(({ text }) => text)];
  if (faults.length > 0) throw new Error(`the witness of ${name}: ${faults.join("; ")}`);
}

/** The longest silence that began in a span of epoch milliseconds: the freeze of a move in it. */
export function freezeMilliseconds(testimony: Testimony, fromMs: number, toMs: number): number {
  const inside = testimony.silences.filter((silence) => silence.fromMs >= fromMs - 1000 && silence.fromMs <= toMs);
  return Math.max(0, ...inside.map((silence) => silence.milliseconds));
}
