/** The `headroom` program of the agent's image, which has no other command: the image holds what this file imports. */
import { AGENT } from "./command-entry.ts";
import { runProgram } from "./program.ts";

/** @param argv as process.argv; resolves to the exit code. Never rejects. */
export function main(argv: readonly string[]): Promise<number> {
  return runProgram(argv, [AGENT]);
}
