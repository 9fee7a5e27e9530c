/** Where the results go: files, or standard output for one of them. Everything that can be told beforehand is told before hours of work. */
import { accessSync, closeSync, constants, openSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CommandFailure, EXIT } from "../failure.ts";
import type { SimulateFlags } from "./flags.ts";

export type OutputFlags = Pick<SimulateFlags, "json" | "csv" | "html" | "saveTrace">;

/** For standard output. */
const STANDARD = "-";

interface Output {
  flag: string;
  file: string;
}

function outputsOf({ json, csv, html, saveTrace }: OutputFlags): Output[] {
  const flags = { "--json": json, "--csv": csv, "--html": html, "--save-trace": saveTrace };
  return Object.entries(flags).flatMap(([flag, file]) => (file === undefined ? [] : [{ flag, file }]));
}

/** The table is shown unless something else is. */
export const showsTable = (flags: OutputFlags) => outputsOf(flags).every(({ file }) => file !== STANDARD);

/** Throws a CommandFailure with a line for each thing that is wrong. */
export function checkOutputs(flags: OutputFlags): void {
  const outputs = outputsOf(flags);
  const wrong = outputs.flatMap((output, index) => misuse(output, outputs.slice(0, index)) ?? []);
  if (wrong.length > 0) throw new CommandFailure(wrong.join("\n"), EXIT.usage);
  const unwritable = outputs.flatMap(({ file }) => failureOf(file, () => mustBeWritable(file)) ?? []);
  if (unwritable.length > 0) throw new CommandFailure(unwritable.join("\n"), EXIT.failed);
}

function misuse({ flag, file }: Output, before: readonly Output[]): string | undefined {
  if (file === "") return `${flag}: expected a file, or - for standard output`;
  const same = before.find((other) => placeOf(other.file) === placeOf(file));
  const where = file === STANDARD ? "standard output" : file;
  return same && `${same.flag} and ${flag}: both to ${where}: give each a file of its own`;
}

const placeOf = (file: string) => (file === STANDARD ? file : resolve(file));

function mustBeWritable(file: string): void {
  if (file === STANDARD) return;
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new Error("is a directory: give a file");
  // What is there is opened as it will be, and left as it is.
  if (there) closeSync(openSync(file, "a"));
  else accessSync(dirname(file), constants.W_OK);
}

/** Collects what could not be written: one file that cannot be is no reason to lose the others. */
export class Outputs {
  readonly #failures: string[] = [];

  write(file: string | undefined, text: () => string): void {
    if (file === undefined) return;
    if (file === STANDARD) process.stdout.write(text());
    else this.#failures.push(...(failureOf(file, () => writeFileSync(file, text())) ?? []));
  }

  /** Throws a CommandFailure that names them. */
  end(): void {
    if (this.#failures.length > 0) throw new CommandFailure(this.#failures.join("\n"), EXIT.failed);
  }
}

function failureOf(file: string, act: () => void): [string] | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return [`${file}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
