/** Watches every process of the sandbox from outside: what ran when, what was lost, and whether an invariant was broken. */
import type { ProcessChange, SimulatedProcess } from "./process.ts";

export interface Freeze {
  instance: string;
  fromNode: string;
  toNode: string;
  milliseconds: number;
}

export interface Loss {
  instance: string;
  pod: string;
  node: string;
  atMs: number;
  workMs: number;
}

export class Witness {
  /** Processes that are not dead, by instance. */
  readonly #copies = new Map<string, Set<SimulatedProcess>>();
  /** When an instance stopped to run, and where. */
  readonly #stopped = new Map<string, { atMs: number; node: string }>();
  /** The work that an instance had done when it last stopped to run. */
  readonly #latestMs = new Map<string, number>();
  readonly #finished = new Set<string>();
  /** Instances that never may have two copies running: sentences about those that had. */
  readonly violations: string[] = [];
  /** Work that ended with a process and was not carried on anywhere. */
  readonly losses: Loss[] = [];
  /** Times in which a moved process did not run. */
  readonly freezes: Freeze[] = [];
  readonly starts: { instance: string; pod: string; node: string }[] = [];

  /** Is told of every change as well, e.g. to hold it against what the API server says at that moment. */
  listener: (change: ProcessChange) => void = () => {};

  /** To be called in the moment of every change. */
  readonly observe = (change: ProcessChange): void => {
    const { process, from, to } = change;
    if (from === "none" && to === "dead") return;
    for (const what of change.amiss)
      this.violations.push(`${process.pod} on ${process.node} runs on wrong files: ${what}`);
    const copies = this.#copies.get(process.instance) ?? new Set();
    this.#copies.set(process.instance, copies);
    if (to === "dead") copies.delete(process);
    else copies.add(process);
    if (from === "none" && to === "running")
      this.starts.push({ instance: process.instance, pod: process.pod, node: process.node });
    if (to === "running") this.#runs(change, copies);
    if (from === "running") {
      this.#stopped.set(process.instance, { atMs: change.atMs, node: process.node });
      this.#latestMs.set(process.instance, process.workMs);
    }
    if (to === "dead" && copies.size === 0) this.#lost(change);
    this.listener(change);
  };

  /** The process ended because its work is done: nothing is lost. */
  finished(process: SimulatedProcess): void {
    this.#finished.add(process.instance);
  }

  running(): SimulatedProcess[] {
    return [...this.#copies.values()].flatMap((copies) => [...copies]).filter(({ state }) => state === "running");
  }

  #runs({ process, atMs }: ProcessChange, copies: Set<SimulatedProcess>): void {
    if (process.workMs < (this.#latestMs.get(process.instance) ?? 0))
      this.violations.push(`${process.pod} on ${process.node} runs on from an old state`);
    const running = [...copies].filter(({ state }) => state === "running");
    if (running.length > 1) {
      const where = running.map((copy) => `${copy.pod} on ${copy.node}`).join(" and ");
      this.violations.push(`two copies of ${process.instance} run: ${where}`);
    }
    const stopped = this.#stopped.get(process.instance);
    if (stopped && stopped.node !== process.node) {
      const milliseconds = atMs - stopped.atMs;
      this.freezes.push({ instance: process.instance, fromNode: stopped.node, toNode: process.node, milliseconds });
    }
  }

  #lost({ process, atMs }: ProcessChange): void {
    if (this.#finished.has(process.instance)) return;
    const { instance, pod, node, workMs } = process;
    this.losses.push({ instance, pod, node, atMs, workMs });
  }
}
