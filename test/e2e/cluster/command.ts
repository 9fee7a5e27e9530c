/** Runs programs to their end, with a time limit, and says what failed in their own words. */
import { execFile } from "node:child_process";

export interface RunOptions {
  timeoutSeconds?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Written to the program's standard input. */
  input?: string;
}

export interface Outcome {
  /** The exit code; -1 when a signal or the time limit ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Resolves with the outcome whatever the exit code; rejects only when the program cannot be started. */
export function attempt(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { timeoutSeconds = 60, input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { ...rest, timeout: timeoutSeconds * 1000, killSignal: "SIGKILL", maxBuffer: MAX_OUTPUT_BYTES },
      (error, stdout, stderr) => {
        if (!error) return resolve({ code: 0, stdout, stderr });
        if (typeof error.code === "string") return reject(error);
        const note = error.killed ? `\nended after ${timeoutSeconds} s` : "";
        resolve({ code: error.code ?? -1, stdout, stderr: stderr + note });
      },
    );
    child.stdin?.on("error", () => undefined); // it may end without having read its input: its exit code tells
    child.stdin?.end(input ?? "");
  });
}

/** Resolves with the standard output; rejects when the exit code is not 0. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await attempt(program, args, options);
  if (outcome.code === 0) return outcome.stdout;
  const said = (outcome.stderr.trim() || outcome.stdout.trim()).slice(-4000);
  throw new Error(`${[program, ...args].join(" ").slice(0, 600)}: exit code ${outcome.code}\n${said}`);
}
