/** Who read what a command writes has seen enough, as `head` does. What only shows ends then; what does something goes on. */
import { CommandFailure, EXIT } from "./failure.ts";

/** Ends a command without a word: there is nobody to tell. */
export class NobodyReads extends CommandFailure {
  constructor() {
    super("nobody reads on", EXIT.nobodyReads);
  }
}

export interface WrittenStream {
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** Aborted by the first thing written that nobody takes. Any other error is thrown. */
export function nobodyReads(stream: WrittenStream): AbortSignal {
  const end = new AbortController();
  stream.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    end.abort(new NobodyReads());
  });
  return end.signal;
}
