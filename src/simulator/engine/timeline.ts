/** The memory of every node over time, for reports. */
import type { NodeRun } from "./node-run.ts";

export class Timeline {
  readonly everySeconds: number;
  readonly #nodes: readonly NodeRun[];
  readonly #seconds: Float64Array;
  readonly #bytes: Map<NodeRun, Float64Array>;
  #length = 0;

  constructor(nodes: readonly NodeRun[], everySeconds: number, endSeconds: number) {
    if (!(everySeconds > 0)) throw new RangeError(`timeline.everySeconds must be positive: ${everySeconds}`);
    const most = Math.floor(endSeconds / everySeconds) + 1;
    this.everySeconds = everySeconds;
    this.#nodes = nodes;
    this.#seconds = new Float64Array(most);
    this.#bytes = new Map(nodes.map((node) => [node, new Float64Array(most)]));
  }

  record(at: number): void {
    this.#seconds[this.#length] = at;
    for (const node of this.#nodes) {
      const bytes = this.#bytes.get(node);
      if (bytes) bytes[this.#length] = node.usedAt(at);
    }
    this.#length += 1;
  }

  get seconds(): Float64Array {
    return this.#seconds.subarray(0, this.#length);
  }

  of(node: NodeRun): Float64Array {
    return (this.#bytes.get(node) ?? new Float64Array(0)).subarray(0, this.#length);
  }
}
