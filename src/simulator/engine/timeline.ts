/** The memory of every node over time, for reports: its highest use in each of many stretches, so that no peak falls between two records. */
import type { NodeRun } from "./node-run.ts";

export class Timeline {
  readonly everySeconds: number;
  readonly #endSeconds: number;
  readonly #nodes: readonly NodeRun[];
  readonly #bytes: Map<NodeRun, Float64Array>;
  #begun = 0;

  constructor(nodes: readonly NodeRun[], everySeconds: number, endSeconds: number) {
    if (!(everySeconds > 0)) throw new RangeError(`timeline.everySeconds must be positive: ${everySeconds}`);
    const most = Math.ceil(endSeconds / everySeconds);
    this.everySeconds = everySeconds;
    this.#endSeconds = endSeconds;
    this.#nodes = nodes;
    this.#bytes = new Map(nodes.map((node) => [node, new Float64Array(most)]));
  }

  /** A stretch begins at every multiple of `everySeconds`, which ends the one before; what happens at the very end belongs to the last. */
  begin(at: number): void {
    if (at >= this.#endSeconds) return;
    if (this.#begun > 0) this.#close(at);
    this.#begun += 1;
  }

  end(): void {
    this.#close(this.#endSeconds);
  }

  #close(at: number): void {
    for (const node of this.#nodes) {
      const bytes = this.#bytes.get(node);
      if (bytes) bytes[this.#begun - 1] = node.takePeak(at);
    }
  }

  /** When each stretch begins. */
  get seconds(): Float64Array {
    return Float64Array.from({ length: this.#begun }, (_, count) => count * this.everySeconds);
  }

  of(node: NodeRun): Float64Array {
    return (this.#bytes.get(node) ?? new Float64Array(0)).subarray(0, this.#begun);
  }
}
