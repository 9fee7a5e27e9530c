/** The reader of a command's output has closed it, as `head` does. Commands that only show something end; others continue. */
import { CommandFailure, EXIT } from "./failure.ts";

/** Ends a command without a message, because its output is closed. */
export class OutputClosed extends CommandFailure {
  constructor() {
    super("output closed", EXIT.outputClosed);
  }
}

export interface WrittenStream {
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** Aborted by the first write to a closed output. Any other error is thrown. */
export function whenOutputCloses(stream: WrittenStream): AbortSignal {
  const end = new AbortController();
  stream.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    end.abort(new OutputClosed());
  });
  return end.signal;
}
