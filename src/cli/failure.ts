/** How a command ends other than well. Exit codes are part of the interface: scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** Something went wrong; standard error says what, in one line. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** `move --wait`, `cancel --wait`: the move ended, but not as asked. */
  endedOtherwise: 3,
  /** Ctrl-C: what was done until then is shown. */
  interrupted: 130,
  /** Standard output was closed; the code of a process that SIGPIPE ends. */
  outputClosed: 141,
} as const;

export const EXIT_CODES_HELP = `
Exit codes: 0 done; 1 failed, standard error says why; 2 wrong arguments or configuration;
            3 the move did not end as requested (--wait); 141 output closed (SIGPIPE).`;

/** Ends a command with this code and this line on standard error. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}
