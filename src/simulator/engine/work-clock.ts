/** A pod's own time: how much work it had done at any moment. It stands still while the pod is frozen, and begins anew after a kill. */

/** From a moment on: working, frozen (its memory stays), or not there at all. */
type Pace = "Working" | "Frozen" | "Down";

interface Span {
  fromSeconds: number;
  /** Done at its beginning. */
  work: number;
  pace: Pace;
}

export class WorkClock {
  readonly #spans: Span[] = [{ fromSeconds: 0, work: 0, pace: "Down" }];
  #now: Span = { fromSeconds: 0, work: 0, pace: "Down" };
  /** Rises with every change. */
  version = 0;

  get pace(): Pace {
    return this.#now.pace;
  }

  /** `at`: not before the last change. */
  workAt(at: number): number {
    return workIn(this.#now, at);
  }

  /** When so much work will have been done if nothing intervenes; never unless it works. */
  whenDone(work: number): number {
    if (this.#now.pace !== "Working") return Number.POSITIVE_INFINITY;
    return this.#now.fromSeconds + Math.max(0, work - this.#now.work);
  }

  /** From the beginning of its work. */
  begin(at: number): void {
    this.#turn({ fromSeconds: at, work: 0, pace: "Working" });
  }

  freeze(at: number): void {
    this.#turn({ fromSeconds: at, work: this.workAt(at), pace: "Frozen" });
  }

  resume(at: number): void {
    this.#turn({ fromSeconds: at, work: this.workAt(at), pace: "Working" });
  }

  stop(at: number): void {
    this.#turn({ fromSeconds: at, work: this.workAt(at), pace: "Down" });
  }

  /** The work done at a moment in the past; undefined: it was not there. */
  workThen(at: number): number | undefined {
    for (let index = this.#spans.length - 1; index >= 0; index--) {
      const span = this.#spans[index];
      if (span !== undefined && span.fromSeconds <= at) return span.pace === "Down" ? undefined : workIn(span, at);
    }
    return undefined;
  }

  #turn(span: Span): void {
    this.#now = span;
    this.#spans.push(span);
    this.version += 1;
  }
}

function workIn({ fromSeconds, work, pace }: Span, at: number): number {
  return pace === "Working" ? work + (at - fromSeconds) : work;
}
