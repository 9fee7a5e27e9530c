/** A program of commands: finds the command, runs it, turns what it throws into one line and an exit code. */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Command, CommanderError } from "commander";
import { describeError } from "../logging/plain-fields.ts";
import type { CommandEntry } from "./command-entry.ts";
import { CommandFailure, EXIT, EXIT_CODES_HELP } from "./failure.ts";
import { OutputClosed, whenOutputCloses } from "./output-closed.ts";
import { paletteFor } from "./terminal.ts";

/** @param argv as process.argv; resolves to the exit code. Never rejects. */
export async function runProgram(argv: readonly string[], commands: readonly CommandEntry[]): Promise<number> {
  whenOutputCloses(process.stdout);
  try {
    await honourDotEnv();
    const program = await programFor(argv, commands);
    if (argv.length <= 2) program.help();
    await program.parseAsync([...argv]);
    return EXIT.ok;
  } catch (error) {
    return explain(error);
  }
}

/** A `.env` file in the working directory; what the environment already says wins. */
async function honourDotEnv(): Promise<void> {
  if (!existsSync(".env")) return;
  const { config } = await import("dotenv");
  const { error } = config({ path: ".env", quiet: true });
  if (error) throw new CommandFailure(`.env: ${error.message}`, EXIT.usage, error);
}

/** Lists all commands, but loads only the requested one. */
async function programFor(argv: readonly string[], commands: readonly CommandEntry[]): Promise<Command> {
  const program = new Command(nameOf(argv))
    .description("Keeps memory headroom on Kubernetes nodes: moves running pods, memory included, to another node.")
    .version(readVersion(), "-V, --version")
    .showHelpAfterError("(--help shows what there is)")
    .addHelpText("after", EXIT_CODES_HELP)
    .exitOverride();
  const wanted = new Set(argv.slice(2));
  for (const entry of commands) await addCommand(program, entry, wanted.has(entry.name));
  for (const command of program.commands) command.exitOverride();
  return program;
}

async function addCommand(program: Command, entry: CommandEntry, wanted: boolean): Promise<void> {
  if (!wanted) program.command(entry.name).summary(entry.summary).description(entry.summary);
  else (await entry.load())(program);
}

/** kubectl runs `kubectl-headroom` as `kubectl headroom`. */
function nameOf(argv: readonly string[]): string {
  return basename(argv[1] ?? "").startsWith("kubectl-") ? "kubectl headroom" : "headroom";
}

/** From package.json, which lies two folders up, from source and from dist alike. */
function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const version = typeof parsed === "object" && parsed !== null && "version" in parsed ? parsed.version : undefined;
  return typeof version === "string" ? version : "unknown";
}

function explain(error: unknown): number {
  // Commander has already said what it had to say, help and version included.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof OutputClosed) return error.exitCode;
  const { red } = paletteFor(process.stderr);
  for (const line of describeError(error).split("\n")) process.stderr.write(`${red("headroom:")} ${line}\n`);
  if (error instanceof CommandFailure) return error.exitCode;
  const settings = error instanceof Error && error.name === "SettingsError";
  return settings ? EXIT.usage : EXIT.failed;
}
