/** A bar on standard error while a person looks on; nothing anywhere else. */

export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface ProgressBar {
  update(done: number, total: number): void;
  /** Wipes the bar away. */
  end(): void;
}

const WIDTH = 30;
/** No more often than a person can see. */
const EVERY_MS = 100;

export function progressBar(stream: ProgressStream, nowMs: () => number): ProgressBar {
  if (stream.isTTY !== true) return { update: () => undefined, end: () => undefined };
  const startMs = nowMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update(done, total) {
      const now = nowMs();
      if (now - drawnMs < EVERY_MS && done < total) return;
      drawnMs = now;
      stream.write(`\r${barText(done, total, now - startMs).slice(0, (stream.columns ?? 80) - 1)}\u001b[K`);
    },
    end() {
      stream.write("\r\u001b[K");
    },
  };
}

/** `[######……………] 12/60 runs, 40 s left`. */
export function barText(done: number, total: number, elapsedMs: number): string {
  const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
  const left = done === 0 ? "" : `, ${Math.ceil(((elapsedMs / done) * (total - done)) / 1000)} s left`;
  return `[${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ${done}/${total} runs${left}`;
}
