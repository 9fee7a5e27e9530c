/**
 * Files on their way in: what a move may bring, counted over all its tries, and the means to end what still comes once the move
 * goes on without it.
 */
import { finished, type Readable, Transform } from "node:stream";
import { AgentError } from "./agent-error.ts";
import { PROBE_LIMIT_BYTES, PROBE_PART } from "./link.ts";
import { settledOrLate } from "./settled-or-late.ts";

/** A deleted file's name is about all that a manifest has: this is one of a million files. */
const MANIFEST_BYTES = 32 << 20;
/** Files are packed as archives, a folder's entry is a few kilobytes of one, and the pod goes on writing until it is frozen. */
const FILES_GROWTH = 3;
const FILES_SLACK_BYTES = 1 << 30;
/** An upload that was ended is waited for so long. */
const END_MS = 5_000;

/** What the move's target was told to expect, bytes. */
export interface Expected {
  stagingBytes: number;
  filesBytes: number;
}

interface Upload {
  part: string;
  abort: AbortController;
  outcome: Promise<unknown>;
}

export type Accept<T = void> = (body: Readable, signal: AbortSignal) => Promise<T>;

export class Uploads {
  readonly #running = new Map<string, Set<Upload>>();
  /** Bytes of files (not images) that each move has brought. */
  readonly #brought = new Map<string, number>();

  /**
   * Takes a part in, and resolves with what became of it. An upload of the same part that still runs is ended first: its sender has begun again. Rejects with `NoRoom` when
   * the part is larger than what was announced.
   * @param part what it is, and the name of the volume if it is one.
   */
  async take<T>(moveUID: string, part: string, body: Readable, expected: Expected, accept: Accept<T>): Promise<T> {
    const others = this.#running.get(moveUID) ?? new Set();
    this.#running.set(moveUID, others);
    const former = [...others].filter((upload) => upload.part === part);
    const abort = new AbortController();
    const outcome = endAll(former, "its sender has begun anew").then(async () => {
      abort.signal.throwIfAborted();
      const whole = this.#counted(moveUID, part, body, expected, abort.signal);
      return await accept(whole, abort.signal).finally(() => whole.destroy());
    });
    const upload = { part, abort, outcome };
    others.add(upload);
    return await outcome.finally(() => others.delete(upload));
  }

  /** Resolves when nothing of the move comes in any more, after a few seconds at the latest. */
  async end(moveUID: string, why: string): Promise<void> {
    await endAll([...(this.#running.get(moveUID) ?? [])], why);
  }

  /** Forgets a move that was cleaned up. */
  forget(moveUID: string): void {
    this.#running.delete(moveUID);
    this.#brought.delete(moveUID);
  }

  #counted(moveUID: string, part: string, body: Readable, expected: Expected, signal: AbortSignal): Readable {
    if (part === "images") return counted(body, signal, limitOf(part, expected.stagingBytes));
    if (part === "layer-manifest") return counted(body, signal, limitOf(part, MANIFEST_BYTES));
    if (part === PROBE_PART) return counted(body, signal, limitOf(part, PROBE_LIMIT_BYTES));
    const limitBytes = expected.filesBytes * FILES_GROWTH + FILES_SLACK_BYTES;
    return counted(body, signal, (bytes) => {
      const total = (this.#brought.get(moveUID) ?? 0) + bytes;
      this.#brought.set(moveUID, total);
      return total > limitBytes ? tooMuch("the files", limitBytes) : undefined;
    });
  }
}

function limitOf(part: string, limitBytes: number): (bytes: number) => AgentError | undefined {
  let total = 0;
  return (bytes) => {
    total += bytes;
    return total > limitBytes ? tooMuch(`the part "${part}"`, limitBytes) : undefined;
  };
}

function tooMuch(what: string, limitBytes: number): AgentError {
  return new AgentError(
    "NoRoom",
    `${what} of this move are larger than the ${Math.floor(limitBytes)} bytes it may bring`,
  );
}

/** The body, cut off with an error when `refuse` has one, or when `signal` is aborted. What comes once it is closed is thrown away. */
function counted(body: Readable, signal: AbortSignal, refuse: (bytes: number) => AgentError | undefined): Readable {
  const passed = new Transform({
    highWaterMark: 1 << 20,
    transform(chunk: Buffer, _encoding, done) {
      const refusal = refuse(chunk.length);
      if (refusal) done(refusal);
      else done(null, chunk);
    },
  });
  passed.on("error", () => undefined); // whoever reads it sees it; one who doesn't read goes by the signal
  finished(body, { writable: false }, (error) => {
    if (error) passed.destroy(error);
  });
  passed.once("close", () => {
    body.unpipe(passed);
    body.resume();
  });
  signal.addEventListener("abort", () => passed.destroy(signal.reason), { once: true });
  return body.pipe(passed);
}

async function endAll(uploads: readonly Upload[], why: string): Promise<void> {
  const reason = new AgentError("WrongState", `the upload was ended: ${why}`, { retryable: true });
  for (const upload of uploads) upload.abort.abort(reason);
  await settledOrLate(Promise.allSettled(uploads.map(({ outcome }) => outcome)), END_MS);
}
