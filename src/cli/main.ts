/** The `headroom` program. */
import { installLeanClient } from "../kube/lean-client/install.ts";
import { COMMANDS } from "./commands.ts";
import { runProgram } from "./program.ts";

/** @param argv as process.argv; resolves to the exit code. Never rejects. */
export function main(argv: readonly string[]): Promise<number> {
  installLeanClient();
  return runProgram(argv, COMMANDS);
}
