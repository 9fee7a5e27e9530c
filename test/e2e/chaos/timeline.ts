/** What happened during a seed, told in the order of time. */
import type { Testimony } from "../harness/testimony.ts";

export interface Happening {
  atMs: number;
  /** Whom it is about: a move, a workload, a node. */
  about: string;
  text: string;
}

export class Timeline {
  readonly #happenings: Happening[] = [];

  add(about: string, text: string, atMs = Date.now()): void {
    this.#happenings.push({ atMs, about, text });
  }

  /** With what the witness heard: where each life began, went on after a silence, and was last heard. */
  hear(workload: string, { lives, violations, silences }: Testimony): void {
    for (const { instance, first, last, firstAtMs, lastAtMs } of lives) {
      this.add(workload, `${instance} is heard, n=${first}`, firstAtMs);
      this.add(workload, `${instance} is heard for the last time, n=${last}`, lastAtMs);
    }
    for (const { milliseconds, fromMs, n } of silences) {
      if (milliseconds >= 500)
        this.add(workload, `speaks again after ${Math.round(milliseconds)} ms, n=${n}`, fromMs + milliseconds);
    }
    for (const { atMs, text } of violations) this.add(workload, `WITNESS: ${text}`, atMs);
  }

  /** One line each, ordered by time. */
  lines(): string[] {
    const ordered = [...this.#happenings].sort((a, b) => a.atMs - b.atMs);
    const start = ordered[0]?.atMs ?? 0;
    return ordered.map(({ atMs, about, text }) => {
      const seconds = ((atMs - start) / 1000).toFixed(3).padStart(9);
      return `${new Date(atMs).toISOString()} ${seconds}  ${about.padEnd(22)}  ${text}`;
    });
  }
}
