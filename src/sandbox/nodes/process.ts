/** A simulated process: memory, files and a counter that grow while it runs and stand still while it is frozen or held. */
import { amiss, type MountedFiles, writeDiary } from "./files.ts";
import type { MemoryCurve } from "./memory-curve.ts";

/** `frozen`: stopped where it was. `held`: restored, its first instruction not yet executed. */
export type ProcessState = "running" | "frozen" | "held" | "dead";

/** What a checkpoint carries. */
export interface ProcessImage {
  /** Made at the cold start; every copy has it. */
  instance: string;
  workMs: number;
  memoryBytes: number;
}

export interface ProcessChange {
  process: SimulatedProcess;
  from: ProcessState | "none";
  to: ProcessState;
  atMs: number;
  /** Sentences about files that a process finds wrong as it runs on. */
  amiss: readonly string[];
}

export interface ProcessOptions {
  /** The pod, as namespace/name. */
  pod: string;
  node: string;
  files: MountedFiles;
  curve: MemoryCurve;
  runsForMs: number | undefined;
  now: () => number;
  /** Told of every change of state, in the moment in which it happens. */
  onChange: (change: ProcessChange) => void;
}

export class SimulatedProcess {
  readonly instance: string;
  readonly pod: string;
  readonly node: string;
  readonly #options: ProcessOptions;
  #state: ProcessState;
  /** Work done until `#runningSinceMs`. */
  #workMs: number;
  #runningSinceMs: number;

  private constructor(options: ProcessOptions, image: { instance: string; workMs: number }, state: ProcessState) {
    this.#options = options;
    this.instance = image.instance;
    this.pod = options.pod;
    this.node = options.node;
    this.#workMs = image.workMs;
    this.#runningSinceMs = options.now();
    this.#state = state;
    options.onChange({ process: this, from: "none", to: state, atMs: options.now(), amiss: [] });
  }

  /** From zero, under a new instance. */
  static coldStart(options: ProcessOptions, instance: string): SimulatedProcess {
    return new SimulatedProcess(options, { instance, workMs: 0 }, "running");
  }

  /** Killed before its first instruction. */
  static stillborn(options: ProcessOptions, instance: string): SimulatedProcess {
    return new SimulatedProcess(options, { instance, workMs: 0 }, "dead");
  }

  /** From a checkpoint, held before its first instruction. */
  static restore(options: ProcessOptions, image: ProcessImage): SimulatedProcess {
    return new SimulatedProcess(options, image, "held");
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Milliseconds of work since the cold start, on whichever nodes. */
  get workMs(): number {
    return this.#state === "running" ? this.#workMs + this.#options.now() - this.#runningSinceMs : this.#workMs;
  }

  get memoryBytes(): number {
    return this.#state === "dead" ? 0 : this.#options.curve(this.workMs);
  }

  /** True when it has done all it had to do. */
  get finished(): boolean {
    const { runsForMs } = this.#options;
    return this.#state === "running" && runsForMs !== undefined && this.workMs >= runsForMs;
  }

  freeze(): void {
    if (this.#state === "running") this.#become("frozen");
  }

  /** A frozen or held process runs on. */
  resume(): void {
    if (this.#state === "frozen" || this.#state === "held") this.#become("running");
  }

  kill(): void {
    if (this.#state !== "dead") this.#become("dead");
  }

  image(): ProcessImage {
    return { instance: this.instance, workMs: this.workMs, memoryBytes: this.memoryBytes };
  }

  #become(to: ProcessState): void {
    const from = this.#state;
    const { now, files } = this.#options;
    const atMs = now();
    this.#workMs = this.workMs;
    if (from === "running") writeDiary(files, this.#workMs);
    this.#runningSinceMs = atMs;
    this.#state = to;
    const found = to === "running" ? amiss(files, this.#workMs) : [];
    this.#options.onChange({ process: this, from, to, atMs, amiss: found });
  }
}
