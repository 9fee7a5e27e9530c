/** What happens next: by time; at one moment by kind, then in the order in which it was put in. A binary heap. */

/** The order of what happens at one moment. All of it falls into the stretch of the record that begins then. */
export const KINDS = ["Record", "Finish", "Move", "Arrival", "Tick", "Kubelet", "Sample", "Evaluate"] as const;
export type Kind = (typeof KINDS)[number];

interface Entry {
  at: number;
  rank: number;
  order: number;
  act: (at: number) => void;
}

export class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  get length(): number {
    return this.#heap.length;
  }

  put(at: number, kind: Kind, act: (at: number) => void): void {
    const heap = this.#heap;
    const entry = { at, rank: KINDS.indexOf(kind), order: this.#order++, act };
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, entry)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  /** The next, if it is not after `until`. */
  take(until: number): Entry | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > until) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  #sink(entry: Entry): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && before(right, left);
      const child = isRight ? right : left;
      if (before(entry, child)) break;
      heap[index] = child;
      index = 2 * index + (isRight ? 2 : 1);
    }
    heap[index] = entry;
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.rank === b.rank ? a.order < b.order : a.rank < b.rank;
}
